"""When an index is built, and what of a build counts."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.browse.small_study import ORIGINAL, study_of
from tests.file_bytes import parquet
from tests.helpers import make_artifact
from workflow_scripts.browse import build
from workflow_scripts.browse.build import sources_of
from workflow_scripts.browse.index import Index
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import ABOUT, BROWSE


def test_the_index_is_rebuilt_only_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of(tmp_path)
    first = build.index_of(sources_of(study))
    monkeypatch.setattr(build, "build", None)  # would fail
    assert build.index_of(sources_of(study)) == first
    monkeypatch.undo()
    study_of(tmp_path, [*ORIGINAL[:-1], "another caption"])
    second = build.index_of(sources_of(study))
    assert second != first and not first.exists()
    assert [path.name for path in second.parent.iterdir()] == [second.name]


def test_unrelated_files_and_links_beside_an_index_are_kept(tmp_path: Path) -> None:
    study, photos = study_of(tmp_path), tmp_path / "photos"
    folder = tmp_path / "results" / BROWSE / "study"
    for path in (folder / "notes/a.txt", folder / ("5a" * 32) / "index.sqlite", photos / "1.jpg"):
        path.parent.mkdir(parents=True)
        path.write_text("x")
    (folder / ("0f" * 32)).symlink_to(photos)
    index = build.index_of(sources_of(study))
    assert {path.name for path in folder.iterdir()} == {"notes", "0f" * 32, index.name}
    assert (folder / "notes/a.txt").exists() and (photos / "1.jpg").exists()


def test_equal_inputs_give_equal_answers(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        index = Index(build.index_of(sources_of(study_of(tmp_path / name))))
        found.append((index.about, index.captions(range(9)), (index.folder / build.RANKS).read_bytes()))
    assert found[0] == found[1]


@pytest.mark.parametrize("step", ["_images", "_captions", "_neighbours", "_scores", "move_folder_durable"])
def test_an_interrupted_index_build_is_discarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    study = study_of(tmp_path)

    def stop(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, step, stop)
    with pytest.raises(KeyboardInterrupt):
        build.index_of(sources_of(study))
    monkeypatch.undo()
    left = list((tmp_path / "results" / BROWSE / "study").iterdir())
    assert [path.name.startswith(".") for path in left] == [True]
    index = Index(build.index_of(sources_of(study)))
    assert index.about["rows"] == len(ORIGINAL) and not left[0].exists()


def test_artifacts_of_other_images_are_left_out_and_reported(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    about = Index(build.index_of(sources_of(study))).about
    assert about["left_out"] == {"pair_table/mpnet": "1 pairs of other images"}
    shorter = parquet(pq.read_table(study / "select_captions" / "original.parquet").slice(1))
    make_artifact(study.parent, "select_captions", "original", {".parquet": shorter}, {"arm": "original"})
    about = Index(build.index_of(sources_of(study))).about
    assert about["arms"] == ["generated", "shuffled"]
    assert about["left_out"]["select_captions/original"] == "made for other images"
    assert not [arm for arm, _ in about["scores"] if arm == "original"]


def test_scores_of_earlier_captions_are_left_out_and_named(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    assert ["original", "clip cosine"] in Index(build.index_of(sources_of(study))).about["scores"]
    table = pq.read_table(study / "select_captions" / "original.parquet")
    place = table.schema.get_field_index("caption")
    edited = table.set_column(place, "caption", pa.array([f"now {text}" for text in table["caption"].to_pylist()]))
    make_artifact(study.parent, "select_captions", "original", {".parquet": parquet(edited)}, {"arm": "original"})
    about = Index(build.index_of(sources_of(study))).about
    assert ["original", "clip cosine"] not in about["scores"]
    for block in ("00000-00000", "00001-00001"):
        assert about["left_out"][f"score_captions/original.clip.{block}"] == "made from other captions or images"


def test_a_study_without_captions_is_refused(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    shutil.rmtree(study / "select_captions")
    with pytest.raises(PipelineError, match="no captions"):
        sources_of(study)


def test_the_index_records_the_hash_of_every_input(index: Index, study: Path) -> None:
    about = json.loads((index.folder / ABOUT).read_bytes())
    assert about["inputs"] == sources_of(study).inputs
    assert set(about["inputs"]) >= {"image_index/images", "select_captions/original", "pair_table/mpnet"}
