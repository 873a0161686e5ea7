"""Which images runs train on: ``unpaired`` and ``common_images`` in a config, and what follows for jobs."""

from typing import Any

import pytest

from tests.study.config.configs import planned
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.units import Units

REVISED = {"method": "simclr", "pairs": "revised", "augmentation": "crop"}
OWN = {"method": "simclr", "pairs": "self", "augmentation": "crop"}
VISUAL = {"method": "simsiam", "pairs": "visual", "augmentation": "crop"}
CLIP = {"method": "clip", "pairs": "mixed", "augmentation": "crop"}
UNTRAINED = {"method": "untrained", "pairs": "none", "augmentation": "none"}
ALL = [REVISED, OWN, VISUAL, CLIP, UNTRAINED]
FILLED = {"set": {"unpaired": "self"}, "tag": "filled"}


def units(runs: list[dict[str, Any]], **change: Any) -> Units:
    """The small study with these runs."""
    return planned("tests/config/tiny.yaml", change={"runs": runs, **change})


def unpaired(study: Units) -> list[str]:
    return [study.trainings[run].settings.unpaired for run in study.runs]


def tables(study: Units) -> tuple[list[str], list[str]]:
    """Pair tables and arms that decide which images are common."""
    return study.read("common_images", "pairs", {}), study.read("common_images", "captions", {})


def test_the_shared_setting_is_for_runs_with_a_pair_table() -> None:
    assert unpaired(units(ALL)) == ["drop"] * 5
    shared = units(ALL, pretraining={"unpaired": "self"})
    assert unpaired(shared) == ["self", "drop", "self", "drop", "drop"]
    plain = units(ALL)
    for run in plain.runs[1::2]:
        assert shared.settings("pretrain", {"run": run}) == plain.settings("pretrain", {"run": run})
    assert "unpaired" not in plain.settings("pretrain", {"run": plain.runs[0]})


def test_unpaired_can_be_set_by_a_run_or_a_sweep() -> None:
    study = units([REVISED | {"sweep": {"unpaired": ["drop", "self"]}}, VISUAL | FILLED])
    assert study.runs[:2] == [f"simclr-revised-crop-resnet_small-unpaired-{name}-s0" for name in ("drop", "self")]
    assert unpaired(study) == ["drop", "self", "self"]


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (OWN | FILLED, "config.runs.0.*: unpaired self goes with a pair table, but the pairs of this run are self"),
        (CLIP | FILLED, "config.runs.0.*: unpaired self goes with a pair table, but the pairs of this run are caption"),
        (OWN | {"sweep": {"unpaired": ["drop", "self"]}}, "config.runs.0.*: unpaired self goes with a pair table"),
        (REVISED | {"set": {"unpaired": "slef"}}, "unknown choice in config.runs.0.set.unpaired: 'slef'; did you mean"),
        (REVISED | {"set": {"common_images": True}}, "unknown key in config.runs.0.set.common_images"),
    ],
)
def test_unpaired_settings_without_effect_are_refused(run: dict[str, Any], message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        units([run])


def test_common_images_are_those_of_the_runs_that_leave_images_out() -> None:
    study = units([*ALL, REVISED | {"seeds": [1]}], common_images=True)
    assert study.names("common_images") == ["images"]
    assert tables(study) == (["pair_table/revised", "pair_table/visual"], ["select_captions/mixed"])
    manifest = ["common_images/images"]
    assert [study.read("pretrain", "common", {"run": run}) for run in study.runs] == [manifest] * 4 + [[], manifest]
    turned = units([REVISED | {"seeds": [1]}, *ALL[::-1]], common_images=True)
    assert tables(turned) == tables(study), "their order in the config does not matter"
    assert tables(units([REVISED | FILLED, OWN, VISUAL], common_images=True)) == (["pair_table/visual"], [])
    assert tables(units([REVISED | FILLED, REVISED], common_images=True)) == (["pair_table/revised"], [])
    assert tables(units([REVISED | FILLED, OWN], common_images=True)) == ([], [])


def test_runs_have_no_common_images_input_unless_needed() -> None:
    for study in (units(ALL), units([UNTRAINED], common_images=True)):
        assert study.names("common_images") == []
        assert not any(study.read("pretrain", "common", {"run": run}) for run in study.runs)


def test_common_images_changes_no_settings_of_runs() -> None:
    one, other = units(ALL), units(ALL, common_images=True)
    for run in one.runs:
        assert one.settings("pretrain", {"run": run}) == other.settings("pretrain", {"run": run})
