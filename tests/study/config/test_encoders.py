"""The text encoder whose vectors a run learns from."""

from typing import Any

import pytest

from tests.study.config.configs import changed, merged
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

TWO = [{"name": name, "source": f"models/{name}"} for name in ("mini", "big")]
XCLR = {"method": "xclr", "pairs": "original", "augmentation": "crop"}


def units(encoders: list[dict[str, Any]], *runs: dict[str, Any]) -> Units:
    change = {"text_encoders": encoders, "pairs": [], "runs": [*runs], "contrasts": [], "judges": []}
    return Units(load_study(changed(merged("tests/config/tiny.yaml"), change)))


def test_a_run_reads_the_vectors_of_its_arm_and_encoder() -> None:
    own = {**XCLR, "encoder": "big", "tag": "big"}
    found = units(TWO, {**XCLR, "encoder": "mini"}, own, {**XCLR, "method": "clip_sbert", "encoder": "big"})
    read = [[path.split("/")[-1].split(".")[1] for path in found.run_vectors("out", run)] for run in found.runs]
    assert read == [["mini"], ["big"], ["big"]]
    assert found.run_vectors("out", found.runs[0]) == ["out/embed_captions/original.mini.manifest.json"]
    # What no run reads is not needed, and which encoder it is is no setting of the training.
    assert found.needed("embed_captions") == ["original.mini", "original.big"]
    first, second = (found.settings("pretrain", {"run": run}) for run in found.runs[:2])
    assert first == second
    only = units(TWO[:1], XCLR)
    assert only.run_vectors("out", only.runs[0]) == ["out/embed_captions/original.mini.manifest.json"]


@pytest.mark.parametrize(
    ("encoders", "run", "message"),
    [
        (TWO, XCLR, r"missing encoder in config.runs.0.encoder: null; name one of text_encoders: mini, big"),
        ([], XCLR, r"missing encoder in config.runs.0.encoder: null; name one of text_encoders: none yet"),
        (TWO, {**XCLR, "encoder": "bog"}, r"unknown text encoder in config.runs.0.encoder: bog; did you mean big\?"),
        (
            TWO,
            {**XCLR, "method": "simclr", "pairs": "self", "encoder": "big"},
            r"unused encoder in config.runs.0.encoder: big; remove it; method simclr has none",
        ),
    ],
)
def test_an_encoder_that_is_unclear_unknown_or_unused_is_an_error(
    encoders: list[dict[str, Any]], run: dict[str, Any], message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        units(encoders, run)
