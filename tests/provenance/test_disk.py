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


def test_the_full_study_needs_terabytes(tmp_path: Path) -> None:
    full = units()
    need = disk.remaining(full, tmp_path / "results/x")
    rows = full.study.shards.shards * full.study.shards.rows_per_shard
    assert need["download"] == rows * (int(0.2 * 512**2) * 11 + 3_000)
    used = {pairs.arm for pairs in full.study.pairs if pairs.arm is not None}
    assert need["embed_captions"] == rows * 768 * 4 * len(used)
    assert 1e12 < sum(need.values()) < 1e13


def test_what_exists_already_is_not_needed(tmp_path: Path) -> None:
    small = units("tests/config/tiny.yaml")
    before = disk.remaining(small, tmp_path / "study")
    for shard in small.shards[1:]:
        make_artifact(tmp_path, "download", shard, {})
    after = disk.remaining(small, tmp_path / "study")
    assert after["download"] * len(small.shards) == before["download"]
    assert {**after, "download": 0} == {**before, "download": 0}
    for stage, names in [("pretrain", small.runs), ("features", small.checkpoints)]:
        for name in names:
            make_artifact(tmp_path, stage, name, {})
    assert not {"pretrain", "features"} & disk.remaining(small, tmp_path / "study").keys()


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
