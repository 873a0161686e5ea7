"""The need is said before anything starts, and only what is missing counts."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.study.config.configs import merged
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.estimates import disk
from workflow_scripts.study.units import Units


def everything(units: Units) -> set[tuple[str, str]]:
    """Stage and name of every artifact that takes much space."""
    stages = ("download", "recaption", "select_captions", "pair_table", "eval_dataset", "eval_images", "pretrain")
    stages += ("features", "linear_probe", "few_shot", "knn", "saliency")
    made = {(stage, name) for stage in stages for name in units.names(stage) or ()}
    return made | {(stage, name) for stage, name in (label.split("/") for label in units.vectors_read())}


def units(*overlays: str, **changes: object) -> Units:
    """A study's units."""
    return Units(load_study({**merged(*overlays), **changes}))


def test_the_full_study_needs_terabytes_and_a_tenth_where_fetched_bytes_are_not_kept(tmp_path: Path) -> None:
    full = units()
    need = disk.remaining(full, tmp_path / "results/x", everything(full))
    rows = full.study.shards.shards * full.study.shards.rows_per_shard
    assert need["download"] == int(rows * (0.2 * 512**2 + 3_000))
    used = {pairs.arm for pairs in full.study.pairs if pairs.arm is not None}
    assert need["embed_captions"] == rows * 768 * 4 * len(used)
    assert need["eval_images"] == pytest.approx(
        53e9, rel=0.01
    )  # 355,000 images of 224 pixels, once for all checkpoints
    assert need["fetched bytes"] == int(rows * 0.2 * 512**2 * 10)
    assert 2e12 < sum(need.values()) < 10e12
    prepared = units(download={**merged()["download"], "keep": "prepared"})
    assert (
        disk.remaining(prepared, tmp_path / "results/x", everything(prepared))["fetched bytes"]
        == need["fetched bytes"] // 10
    )


def test_disk_space_is_needed_only_for_jobs_that_will_run(tmp_path: Path) -> None:
    small = units("tests/config/tiny.yaml")
    every = everything(small)
    before = disk.remaining(small, tmp_path / "study", every)
    fewer = every - {("download", shard) for shard in small.shards[1:]}
    after = disk.remaining(small, tmp_path / "study", fewer)
    assert after["download"] * len(small.shards) == before["download"]
    assert after["fetched bytes"] * len(small.shards) == before["fetched bytes"]
    others = {"download": 0, "fetched bytes": 0}
    assert {**after, **others} == {**before, **others}
    evaluated = {one for one in every if one[0] == "linear_probe"}
    assert disk.remaining(small, tmp_path / "study", evaluated).keys() == {"linear_probe"}
    assert disk.remaining(small, tmp_path / "study", ()) == {}


def test_fetched_bytes_reduce_the_disk_space_needed(tmp_path: Path) -> None:
    small = units("tests/config/tiny.yaml")
    every = everything(small)
    need = disk.remaining(small, tmp_path / "study", every)["fetched bytes"]
    for path, size in (("a-0.bin", 1000), ("0f3a/b-0.bin", 500), ("a-0.jsonl", 7)):
        (tmp_path / ".fetched" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".fetched" / path).write_bytes(bytes(size))
    assert disk.remaining(small, tmp_path / "study", every)["fetched bytes"] == need - 1500
    (tmp_path / ".fetched/a-0.bin").write_bytes(bytes(need))
    assert "fetched bytes" not in disk.remaining(small, tmp_path / "study", every)


@pytest.mark.parametrize(("free", "said"), [(10**15, False), (10**9, True)])
def test_a_disk_shortage_is_a_single_line_with_needed_and_free_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, said: bool
) -> None:
    asked = []

    def usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=free)

    monkeypatch.setattr("workflow_scripts.study.estimates.disk.shutil.disk_usage", usage)
    study = units()
    error = disk.shortage(study, tmp_path / "none" / "yet", everything(study))
    assert asked == [tmp_path]
    assert (error is not None) == said
    if error is not None:
        assert "1.0 GB free" in str(error.value) and "download" in str(error.value)


@pytest.mark.parametrize("side", [None, 256, 400])
def test_packs_hold_no_larger_images_than_shards(tmp_path: Path, side: int | None) -> None:
    full = units(pack={"shorter_side": side}, download={**merged()["download"], "max_side": 300})
    need = disk.remaining(full, tmp_path / "x", {("download", "00000"), ("pack", "00000")})
    assert need["download"] == 10_000 * (0.2 * 300**2 + 3_000)
    assert need["pack"] == 10_000 * 0.2 * 300**2


def test_dataset_disk_estimates_use_registered_image_counts(tmp_path: Path) -> None:
    full = units()
    need = disk.remaining(full, tmp_path / "results/x", {("eval_dataset", "eurosat"), ("eval_dataset", "caltech101")})
    assert need == {"eval_dataset": (15_000 + 8_677) * 40_000}
