"""The need is said before anything starts, and only what is missing counts."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.core.test_config import merged
from tests.helpers import make_artifact
from workflow_scripts.core.config import load_study
from workflow_scripts.core.units import Units
from workflow_scripts.provenance import disk


def units(*overlays: str, **changes: object) -> Units:
    """A study's units."""
    return Units(load_study({**merged(*overlays), **changes}))


def test_the_full_study_needs_terabytes_and_a_tenth_where_fetched_bytes_are_not_kept(tmp_path: Path) -> None:
    full = units()
    need = disk.remaining(full, tmp_path / "results/x")
    rows = full.study.shards.shards * full.study.shards.rows_per_shard
    assert need["download"] == rows * (int(0.2 * 512**2) + 3_000)
    used = {pairs.arm for pairs in full.study.pairs if pairs.arm is not None}
    assert need["embed_captions"] == rows * 768 * 4 * len(used)
    assert need["fetched bytes"] == int(rows * 0.2 * 512**2 * 10)
    assert 2e12 < sum(need.values()) < 10e12
    prepared = units(download={**merged()["download"], "keep": "prepared"})
    assert disk.remaining(prepared, tmp_path / "results/x")["fetched bytes"] == need["fetched bytes"] // 10


def test_what_exists_already_is_not_needed(tmp_path: Path) -> None:
    small = units("tests/config/tiny.yaml")
    before = disk.remaining(small, tmp_path / "study")
    for shard in small.shards[1:]:
        make_artifact(tmp_path, "download", shard, {})
    after = disk.remaining(small, tmp_path / "study")
    assert after["download"] * len(small.shards) == before["download"]
    assert after["fetched bytes"] * len(small.shards) == before["fetched bytes"]
    others = {"download": 0, "fetched bytes": 0}
    assert {**after, **others} == {**before, **others}
    for stage, names in [("pretrain", small.runs), ("features", small.evaluations)]:
        for name in names:
            make_artifact(tmp_path, stage, name, {})
    assert not {"pretrain", "features"} & disk.remaining(small, tmp_path / "study").keys()


def test_what_was_fetched_is_not_needed_again(tmp_path: Path) -> None:
    small = units("tests/config/tiny.yaml")
    need = disk.remaining(small, tmp_path / "study")["fetched bytes"]
    for path, size in (("a-0.bin", 1000), ("0f3a/b-0.bin", 500), ("a-0.jsonl", 7)):
        (tmp_path / ".fetched" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".fetched" / path).write_bytes(bytes(size))
    assert disk.remaining(small, tmp_path / "study")["fetched bytes"] == need - 1500
    (tmp_path / ".fetched/a-0.bin").write_bytes(bytes(need))
    assert "fetched bytes" not in disk.remaining(small, tmp_path / "study")


@pytest.mark.parametrize(("free", "said"), [(10**15, False), (10**9, True)])
def test_a_shortage_is_one_line_with_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, said: bool
) -> None:
    asked = []

    def usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=free)

    monkeypatch.setattr("workflow_scripts.provenance.disk.shutil.disk_usage", usage)
    text = disk.shortage(units(), tmp_path / "none" / "yet")
    assert asked == [tmp_path]
    if not said:
        assert text is None
        return
    assert text is not None
    assert "1.0 GB are free" in text
    assert "download" in text
    assert "\n" not in text


def test_every_backbone_and_set_of_the_settings_is_known() -> None:
    from workflow_scripts.core.settings.pretrain import Pretrain

    assert set(disk.BACKBONES) == set(Pretrain.model_fields["backbone"].annotation.__args__)  # type: ignore[union-attr]
    named = {one.torchvision_name for one in units().study.datasets if one.kind == "torchvision"}
    assert named <= disk.SETS.keys()
