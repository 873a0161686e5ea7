"""Which pair shards a study with ``pair_shards`` has, and what it refuses."""

from typing import Any

import pytest

from tests.study.config.configs import changed, merged
from tests.study.config.test_common_images import ALL, CLIP, FILLED, OWN, REVISED, UNTRAINED, VISUAL
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

SECTION = {"pair_shards": {"files": 2, "seed": 5}}


def units(runs: list[dict[str, Any]], **change: Any) -> Units:
    """The small study with these runs."""
    return Units(load_study(changed(merged("tests/config/tiny.yaml"), {"runs": runs, **change})))


def test_each_pair_table_has_shards_and_images_alone_have_some() -> None:
    study = units(ALL, **SECTION)
    assert study.names("pair_shard_index") == ["revised", "self", "visual"]
    assert study.names("pair_shard") == [
        f"{pairs}.{part}-of-2" for pairs in ("revised", "self", "visual") for part in (1, 2)
    ]
    indexes = [f"o/pair_shard_index/{pairs}.manifest.json" for pairs in ("revised", "self", "visual", "self")]
    assert [path for run in study.runs for path in study.run_shards("o", run)] == indexes
    assert study.run_shards("o", study.runs[-1]) == [], "an untrained run reads no images"
    assert study.shard_pairs("o", "visual") == ["o/pair_table/visual.manifest.json"]
    assert study.shard_pairs("o", "self") == []
    assert study.parts_of("pair_shards", "self") == ["self.1-of-2", "self.2-of-2"]


def test_shards_of_a_table_hold_other_images_if_a_run_pairs_them_with_themselves() -> None:
    drop, filled = {"seed": 5, "unpaired": "drop"}, {"seed": 5, "unpaired": "self"}
    unit = {"pairs": "revised", "part": "1-of-2"}
    assert units([REVISED, VISUAL | FILLED], **SECTION).settings("pair_shard", unit) == drop
    for runs in ([REVISED | FILLED, REVISED], [REVISED, REVISED | FILLED]):
        assert units(runs, **SECTION).settings("pair_shard", unit) == filled
    index = units([REVISED], pair_shards={"block_mb": 2}).settings("pair_shard_index", {"pairs": "revised"})
    assert index == {"block_mb": 2}


def test_shards_hold_the_images_of_packs() -> None:
    assert units([OWN], **SECTION).images_learned("o") == "o/image_index/images.manifest.json"
    packed = units([OWN], pack={"shorter_side": 32}, **SECTION)
    assert packed.images_learned("o") == "o/pack_index/images.manifest.json"


def test_without_the_section_or_a_training_there_are_none() -> None:
    for study in (units(ALL), units([UNTRAINED], **SECTION)):
        assert study.names("pair_shard") == study.names("pair_shard_index") == []
        assert not any(study.run_shards("o", run) for run in study.runs)


def test_no_setting_of_a_run_changes_with_them() -> None:
    one, other = units(ALL), units(ALL, **SECTION)
    for run in one.runs:
        assert one.settings("pretrain", {"run": run}) == other.settings("pretrain", {"run": run})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"pretraining": {"stage_in": {"folder": "$TMPDIR"}}},
            r"copies of pair shards in config.pretraining.stage_in: .*TMPDIR.*; set it to null, or pair_shards to null",
        ),
        (
            {"runs": [CLIP, OWN | {"set": {"stage_in": {"folder": "/local"}}}]},
            r"copies of pair shards in config.runs.1.set.stage_in: /local; set it to null",
        ),
        ({"pair_shards": {"files": 1}}, r"config.pair_shards.files: 1"),
        ({"pair_shards": {"block_mb": 0}}, r"config.pair_shards.block_mb: 0"),
        ({"pair_shards": {"block_mb": 1e-7}}, r"config.pair_shards.block_mb: 1e-07"),
        ({"pair_shards": {"size": 3}}, r"unknown key in config.pair_shards.size"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        units(change.pop("runs", [REVISED]), **SECTION | change)


def test_copies_of_an_untrained_run_are_nobodys() -> None:
    copies = {"pretraining": {"stage_in": {"folder": "$TMPDIR"}}}
    assert units([UNTRAINED], **SECTION, **copies).names("pair_shard") == []
