from pathlib import Path

import numpy as np
import pytest

from tests.helpers import Fails, make_artifact
from tests.stages.evaluation_chain import UNIT, Chain, made_features
from workflow_scripts.core.artifact import Artifact


@pytest.fixture
def chain(chain: Chain, tmp_path: Path) -> Chain:
    """A copy, since the tests change it."""
    return chain.copy_to(tmp_path / "results")


def test_features_of_each_set_in_row_order(chain: Chain) -> None:
    first, second = (np.load(Artifact(chain.features[name]).path(".npy")) for name in ("concept", "masks"))
    assert (first.shape, second.shape) == ((66, 128), (51, 128))
    # The two sets share their training images, hence those rows' features.
    assert first[:42] == pytest.approx(second[:42], abs=1e-5)


def test_workers_change_nothing(chain: Chain) -> None:
    before = chain.features["masks"].read_bytes()
    for path in (chain.results / ".cache/features").iterdir():
        path.rename(chain.results / path.name)  # so that it is computed again
    again = made_features(chain.results, chain.run, chain.images["masks"], ("--workers", "3"))
    assert again.manifest_path.read_bytes() == before


def test_features_of_a_missing_checkpoint_are_an_error(chain: Chain, fails: Fails) -> None:
    run = make_artifact(chain.results, "pretrain", "other", {"/run.json": b"{}"}, {"run": UNIT["run"]})
    with fails("/last.safetensors"):
        made_features(chain.results, run, chain.images["concept"])


def test_damaged_weights_are_an_error_of_features(chain: Chain, fails: Fails) -> None:
    files = {"/run.json": Artifact(chain.run).path("/run.json"), "/last.safetensors": b"damaged"}
    run = make_artifact(chain.results, "pretrain", "other", files, {"run": UNIT["run"]})
    with fails("weights do not fit"):
        made_features(chain.results, run, chain.images["concept"])
