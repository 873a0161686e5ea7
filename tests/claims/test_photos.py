"""The claims' studies on photos: what a folder holds, and the overlays that it completes."""

import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acquisition.own_images import pictures
from tests.conftest import ROOT
from tests.study.config.configs import changed, merged
from workflow_scripts.claims.photos import has_masks, overlay
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

PROFILES = "profiles/claims/photos"
SLOPE = "slope over the share of faithful captions"
PRIMARY = {
    "c1": ["human - title", "original - shuffled"],
    "c2": ["human - title", "human - title (short)"],
    "c3": [SLOPE, f"{SLOPE} (short)", "no faithful captions - untrained"],
    "c4": ["later - earlier (language - self)", "later - earlier (language)"],
    "c6": ["orderings"],
    "c7": ["pairs (language - self)", "augmentation (simclr - crop)", "interaction"],
    "c8": ["flips (ridge)", "flips (labels)"],
}
NETWORKS = {"c1": 0, "c2": 20, "c3": 60, "c4": 18, "c6": 15, "c7": 24, "c8": 0}
PHOTOS = ROOT.parent / "shared/data"


def captioned(folder: Path) -> Path:
    names = [f"images/{number}.jpg" for number in range(3)]
    pictures(folder / "photos_captions", names)
    table = pa.table({"file": names, "captions": [["a cat", "a pet"]] * 3})
    pq.write_table(table, folder / "photos_captions/captions.parquet")
    return folder


def probe_set(folder: Path, classes: int) -> None:
    pictures(folder, [f"{split}/{number}/a.jpg" for split in ("train", "test") for number in range(classes)])


def complete(folder: Path) -> Path:
    captioned(folder)
    for name, classes in (("ten", 10), ("five", 5), ("seven", 7), ("two", 2)):
        probe_set(folder / "probe_sets" / name, classes)
    pictures(folder / "masks", ["images/a.jpg", "masks/a.png"])
    row = {"file": "images/a.jpg", "mask": "masks/a.png", "label": "cat", "dominance": 0.9}
    pq.write_table(pa.Table.from_pylist([row]), folder / "masks/labels.parquet")
    return folder


def planned(folder: Path, study: str) -> Units:
    data = overlay(folder, study)
    own = read_config([ROOT / PROFILES / f"{study}.yaml"]).data()
    return Units(load_study(changed(changed(merged(f"{PROFILES}/base.yaml"), data), own)))


def test_a_complete_folder_names_photos_two_sets_with_few_classes_and_masks(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    found = overlay(folder, "c2")
    assert found["annotations"] == {"source": str(folder / "photos_captions")}
    assert found["shards"] == {"shards": 1, "rows_per_shard": 1000}
    limits = {one["name"]: one["limit"] for one in found["datasets"]}
    assert limits == {"five": {"train": 100, "val": 100, "test": 100}, "seven": {"train": 71, "val": 71, "test": 71}}
    assert {judge["name"]: judge.get("photos") for judge in found["judges"]} == {
        "ridge": str(folder / "photos_captions"),
        "labels": None,
    }
    assert has_masks(folder)
    (masks,) = overlay(folder, "c6")["datasets"]
    assert (masks["source"], masks["min_dominance"]) == (str(folder / "masks"), 0.5)


def test_masks_without_dominance_are_used_as_they_are(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    table = folder / "masks/labels.parquet"
    pq.write_table(pq.read_table(table, columns=["file", "mask", "label"]), table)
    (masks,) = overlay(folder, "c6")["datasets"]
    assert "min_dominance" not in masks


def test_sets_can_be_tars(tmp_path: Path) -> None:
    folder = captioned(tmp_path)
    (folder / "probe_sets/packed").mkdir(parents=True)
    for split in ("train", "test"):
        with tarfile.open(folder / f"probe_sets/packed/{split}.tar.gz", "w:gz") as tar:
            for number in range(5):
                tar.addfile(tarfile.TarInfo(f"{number}/a.jpg"), io.BytesIO())
    assert [one["name"] for one in overlay(folder, "c2")["datasets"]] == ["packed"]


def test_without_masks_only_c6_is_not_available(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    shutil.rmtree(folder / "masks")
    assert not has_masks(folder) and overlay(folder, "c2")["datasets"]
    with pytest.raises(PipelineError, match=r"incomplete folder of photos in .*masks/labels\.parquet: no such file"):
        overlay(folder, "c6")


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("photos_captions", r"incomplete folder of photos in .*captions\.parquet: .*put in captions\.parquet with"),
        ("probe_sets", r"incomplete folder of photos in .*probe_sets: no such file or folder; put in folders with"),
        (".", r"incomplete folder of photos in .*photos_captions"),
    ],
)
def test_missing_parts_are_named(tmp_path: Path, missing: str, message: str) -> None:
    folder = complete(tmp_path / "photos")
    shutil.rmtree(folder / missing)
    with pytest.raises(PipelineError, match=message):
        overlay(folder, "c2")


def test_sets_with_too_few_classes_are_named(tmp_path: Path) -> None:
    folder = captioned(tmp_path)
    probe_set(folder / "probe_sets/two", 2)
    with pytest.raises(PipelineError, match=r"no probe set in .*: two has 2 classes; .* at least 5 classes"):
        overlay(folder, "c2")
    shutil.rmtree(folder / "probe_sets/two")
    with pytest.raises(PipelineError, match=r"no probe set in .*: no folder in it"):
        overlay(folder, "c2")


def test_a_damaged_table_of_captions_is_named(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    (folder / "photos_captions/captions.parquet").write_bytes(b"PAR1")
    with pytest.raises(PipelineError, match=r"unreadable captions in .*captions\.parquet"):
        overlay(folder, "c2")


def test_every_claim_has_an_overlay() -> None:
    assert {path.stem for path in (ROOT / PROFILES).glob("*.yaml")} == {"base", *PRIMARY}


@pytest.mark.parametrize("study", PRIMARY)
def test_overlays_are_studies_with_the_claims_primary_contrasts(tmp_path: Path, study: str) -> None:
    units = planned(complete(tmp_path), study)
    primary = [contrast.name for contrast in units.study.contrasts if contrast.primary]
    assert (units.study.study, primary) == (f"claims-photos-{study}", PRIMARY[study])
    assert sum(run.settings.trains for run in units.trainings.values()) == NETWORKS[study]
    assert units.reported == {"c1": [], "c6": ["masks"], "c8": []}.get(study, ["five", "seven"])
    seeds = {run.settings.seed for run in units.trainings.values()}
    assert seeds <= {10, 11, 12, 13, 14} and not units.study.standard_contrasts


def test_studies_share_their_networks(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    settings = {
        study: {run: units.settings("pretrain", {"run": run}) for run in units.runs}
        for study in PRIMARY
        if NETWORKS[study]
        for units in [planned(folder, study)]
    }
    trained: dict[str, Any] = {}
    for runs in settings.values():
        assert all(trained.setdefault(run, given) == given for run, given in runs.items())
    assert len(trained) == 89  # with five untrained ones
    assert settings["c2"].keys() <= settings["c3"].keys() and settings["c6"].keys() <= settings["c3"].keys()


def test_lines_over_the_shares_are_least_squares(tmp_path: Path) -> None:
    contrasts = {one.name: one for one in planned(complete(tmp_path), "c3").study.contrasts}
    shares = {"faithful000": 0.0, "faithful025": 0.25, "title": 0.5, "faithful075": 0.75, "human": 1.0}
    for ending in ("", " (short)"):
        for place, share in (("0", 0.0), ("1/2", 0.5), ("1", 1.0)):
            terms = contrasts[f"line at {place} - self{ending}"].terms
            weights = {term.pairs: term.weight or 0.0 for term in terms}
            assert weights.pop("self") == -1
            values = {name: 3 + 7 * at for name, at in shares.items()}
            assert sum(weight * values[str(name)] for name, weight in weights.items()) == pytest.approx(3 + 7 * share)
            assert {term.tag for term in terms} == {ending.strip(" ()")}


@pytest.mark.skipif(not (PHOTOS / "photos_captions").exists(), reason="no photos")
def test_real_photos_make_a_complete_folder() -> None:
    found = overlay(PHOTOS, "c2")
    assert found["shards"]["shards"] == 2 and [one["name"] for one in found["datasets"]] == ["flowers5", "cifar10"]
    assert has_masks(PHOTOS) and planned(PHOTOS, "c6").mask_datasets == ["masks"]
