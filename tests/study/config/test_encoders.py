"""The text encoder whose vectors a run learns from."""

from typing import Any

import pytest

from tests.study.config.configs import planned
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.units import Units

TWO = [{"name": name, "source": f"models/{name}"} for name in ("mini", "big")]
XCLR = {"method": "xclr", "pairs": "original", "augmentation": "crop"}


def units(encoders: list[dict[str, Any]], *runs: dict[str, Any]) -> Units:
    change = {"text_encoders": encoders, "pairs": [], "runs": [*runs], "contrasts": [], "judges": []}
    return planned("tests/config/tiny.yaml", change=change)


def test_a_run_reads_the_vectors_of_its_arm_and_encoder() -> None:
    own = {**XCLR, "encoder": "big", "tag": "big"}
    found = units(TWO, {**XCLR, "encoder": "mini"}, own, {**XCLR, "method": "clip_sbert", "encoder": "big"})
    read = [[path.split(".")[1] for path in found.read("pretrain", "vectors", {"run": run})] for run in found.runs]
    assert read == [["mini"], ["big"], ["big"]]
    assert found.read("pretrain", "vectors", {"run": found.runs[0]}) == ["embed_captions/original.mini"]
    # What no run reads is not needed, and which encoder it is is no setting of the training.
    assert found.needed("embed_captions") == ["original.mini", "original.big"]
    first, second = (found.settings("pretrain", {"run": run}) for run in found.runs[:2])
    assert first == second
    only = units(TWO[:1], XCLR)
    assert only.read("pretrain", "vectors", {"run": only.runs[0]}) == ["embed_captions/original.mini"]


@pytest.mark.parametrize(
    ("encoders", "run", "message"),
    [
        (TWO, XCLR, r"missing encoder in config.runs.0.encoder: null; name one of text_encoders: mini, big"),
        ([], XCLR, r"missing encoder in config.runs.0.encoder: null; name one of text_encoders: none yet"),
        (TWO, {**XCLR, "encoder": "bog"}, r"unknown text encoder in config.runs.0.encoder: bog; did you mean big\?"),
        (
            TWO,
            {**XCLR, "method": "simclr", "pairs": "self", "encoder": "big"},
            r"unused encoder in config.runs.0.encoder: big; remove it; this run reads no vectors",
        ),
    ],
)
def test_an_encoder_that_is_unclear_unknown_or_unused_is_an_error(
    encoders: list[dict[str, Any]], run: dict[str, Any], message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        units(encoders, run)


def faithful(change: dict[str, Any], *runs: dict[str, Any]) -> Units:
    """A study with a pair table of two encoders' captions."""
    tables = [{"name": "near", "arm": "revised", "encoder": "big", "k": 1, "scope": "global"}]
    arms = [{"name": kind, "kind": kind} for kind in ("original", "generated", "revised")]
    study = {"text_encoders": TWO, "arms": arms, "pairs": tables, "runs": [*runs], "contrasts": [], "judges": []}
    return planned("tests/config/tiny.yaml", change={**study, **change})


WEIGHTED = {"method": "simclr", "pairs": "near", "augmentation": "crop", "set": {"pair_weight": "itm"}}
AGREEING = {**WEIGHTED, "tag": "agreeing", "set": {"pair_weight": "agreement"}}
CLIP = {"method": "clip", "pairs": "original", "augmentation": "crop", "encoder": "mini"}


def test_pair_weights_are_read_from_the_arm_or_from_two_embedded_arms() -> None:
    plain = {**WEIGHTED, "tag": "plain", "set": {}}
    found = faithful({}, WEIGHTED, AGREEING, {**CLIP, "set": {"pair_weight": "agreement"}}, plain)
    read = [found.read("pretrain", "faithfulness", {"run": run}) for run in found.runs]
    assert read[0] == ["select_captions/revised"]
    assert read[1] == [f"embed_captions/{arm}.big" for arm in ("original", "generated")]
    assert read[2] == [f"embed_captions/{arm}.mini" for arm in ("original", "generated")]
    assert read[3] == []
    assert {"original.big", "generated.big", "original.mini", "generated.mini"} <= set(found.needed("embed_captions"))
    settings = [found.settings("pretrain", {"run": run}) for run in found.runs]
    assert [one.get("pair_weight") for one in settings] == ["itm", "agreement", "agreement", None]
    assert {**settings[0], "pair_weight": None} == {**settings[3], "pair_weight": None}


def test_a_shared_pair_weight_applies_only_to_runs_that_support_it() -> None:
    shared = {"pretraining": {"pair_weight": "itm"}}
    own = {"method": "simclr", "pairs": "self", "augmentation": "simclr"}
    found = faithful(shared, {**WEIGHTED, "set": {}}, own, {**XCLR, "encoder": "mini"})
    assert [found.trainings[run].settings.pair_weight for run in found.runs] == ["itm", "none", "none"]
    with pytest.raises(PipelineError, match=r"pair_weight itm goes with method .*simclr.*, not with xclr"):
        faithful({}, {**XCLR, "encoder": "mini", "set": {"pair_weight": "itm"}})


def test_agreement_needs_both_arms_and_an_encoder() -> None:
    arms = [{"name": "original", "kind": "original"}, {"name": "revised", "kind": "revised"}]
    with pytest.raises(
        PipelineError, match=r"no captions to compare in config.runs.0: .* add one arm of each kind orig"
    ):
        faithful({"arms": arms, "caption_labels": None}, AGREEING)
    with pytest.raises(PipelineError, match=r"missing encoder in config.runs.0.encoder"):
        faithful({}, {**CLIP, "encoder": None, "set": {"pair_weight": "agreement"}})
    with pytest.raises(PipelineError, match=r"unused encoder in config.runs.0.encoder: mini"):
        faithful({}, CLIP)


def test_itm_weights_for_unscored_captions_are_refused() -> None:
    arms = [{"name": kind, "kind": kind} for kind in ("original", "generated", "revised")]
    wrong = [{"name": "half", "kind": "mixed", "base": "original"}]
    table = {"name": "near", "arm": "half", "encoder": "big", "k": 1, "scope": "global"}
    message = (
        r"captions without scores in config.runs.0: pair_weight itm of simclr, but its arm is of kind mixed; set pair"
    )
    with pytest.raises(PipelineError, match=message):
        faithful({"arms": arms + wrong, "pairs": [table]}, WEIGHTED)
    faithful({"arms": arms + wrong, "pairs": [table]}, AGREEING)


def test_more_partners_than_the_pair_table_has_are_refused() -> None:
    positive = {"method": "multi_positive", "pairs": "near", "augmentation": "crop"}
    table = {"name": "near", "arm": "revised", "encoder": "big", "k": 2, "scope": "global"}
    found = faithful({"pairs": [table]}, {**positive, "set": {"multi_positive": {"partners": 2}}})
    own = found.trainings[found.runs[0]].settings
    assert (len(own.views), own.passes, {view.partner for view in own.views}) == (3, 3, {0, 1})
    assert found.settings("summary", {})["runs"][0]["views_per_pair"] == 3
    with pytest.raises(PipelineError, match=r"more partners than the pair table has in config.runs.0.set.multi"):
        faithful({"pairs": [table]}, {**positive, "set": {"multi_positive": {"partners": 3}}})
