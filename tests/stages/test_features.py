from pathlib import Path

import numpy as np
import pytest

from tests.helpers import make_artifact
from tests.stages.evaluation_chain import UNIT, Chain, made_features, make_chain
from workflow_scripts.core.artifact import Artifact


@pytest.fixture
def chain(results: Path) -> Chain:
    return make_chain(results)


def test_features_of_every_set_in_row_order(chain: Chain) -> None:
    made = Artifact(chain.features)
    assert made.suffixes == [".concept.npy", ".masks.npy"]
    shapes = [np.load(made.path(suffix)).shape for suffix in made.suffixes]
    assert shapes == [(66, 128), (51, 128)]
    # The two sets share their training images, hence those rows' features.
    first, second = (np.load(made.path(suffix)) for suffix in made.suffixes)
    assert first[:42] == pytest.approx(second[:42], abs=1e-5)


def test_workers_change_nothing(chain: Chain) -> None:
    before = chain.features.read_bytes()
    for path in (chain.results / ".cache/features").iterdir():
        path.rename(chain.results / path.name)  # so that it is computed again
    assert (
        made_features(chain.results, chain.run, chain.datasets, ("--workers", "3")).manifest_path.read_bytes() == before
    )


def test_a_step_that_is_not_there(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_artifact(chain.results, "pretrain", "other", {"/run.json": b"{}"}, {"run": UNIT["run"]})
    with pytest.raises(SystemExit):
        made_features(chain.results, run, chain.datasets)
    assert "/last.safetensors" in capsys.readouterr().err.strip().splitlines()[-1]


def test_weights_that_do_not_fit(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"/run.json": Artifact(chain.run).path("/run.json"), "/last.safetensors": b"damaged"}
    run = make_artifact(chain.results, "pretrain", "other", files, {"run": UNIT["run"]})
    with pytest.raises(SystemExit):
        made_features(chain.results, run, chain.datasets)
    assert "weights do not fit" in capsys.readouterr().err.strip().splitlines()[-1]
