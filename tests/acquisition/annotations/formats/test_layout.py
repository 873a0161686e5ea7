"""Which format a source has, and errors where none or several fit."""

from pathlib import Path

import pytest

from tests.acquisition.own_images import coco, pictures
from tests.acquisition.zips import row, write_zip
from tests.file_bytes import write_tar
from workflow_scripts.acquisition.annotations.formats.layout import layout_of
from workflow_scripts.core.errors import PipelineError


def test_the_format_of_a_file_is_detected_from_its_content(tmp_path: Path) -> None:
    assert layout_of(write_zip(tmp_path / "zip", {"pics_2020": [row("a")]})).format == "redcaps"
    tar = write_tar(tmp_path / "tar", {"a.jpg": b"x"})
    assert (layout_of(tar).format, layout_of(tar).tars) == ("webdataset", (tar,))
    for name, text, format in (
        ("csv", "url,caption\n", "table"),
        ("tsv", "url\tcaption\n", "table"),
        ("jsonl", '{"url": "http://a.test/1.jpg"}\n', "table"),
        ("parquet", "PAR1", "table"),
        ("json", '{"images": [], "annotations": []}', "coco"),
        ("spaced", '{\n "images": [],\n "annotations": []}', "coco"),
    ):
        (tmp_path / name).write_text(text)
        found = layout_of(tmp_path / name)
        assert (found.format, found.table) == (format, tmp_path / name), name
    assert layout_of(tmp_path / "json", "table").format == "table"
    (tmp_path / "a.tar.gz").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(PipelineError, match=r"compressed source in .*a\.tar\.gz"):
        layout_of(tmp_path / "a.tar.gz")
    with pytest.raises(PipelineError, match=r"source is a single file in .*csv: annotations.table is x.csv"):
        layout_of(tmp_path / "csv", table="x.csv")


def test_the_format_of_a_folder_follows_from_its_top_level_files(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "sub/b.jpg"])
    assert layout_of(folder).format == "folder"
    (folder / "captions.csv").write_text("image,caption\n")
    (folder / "README.md").write_text("notes")
    found = layout_of(folder)
    assert (found.format, found.table) == ("table", folder / "captions.csv")
    (folder / "more.tsv").write_text("x")
    with pytest.raises(PipelineError, match=r"no single table file in .*: 2 files: captions.csv, more.tsv; name it in"):
        layout_of(folder)
    assert layout_of(folder, table="more.tsv").table == folder / "more.tsv"
    assert layout_of(folder, "folder").format == "folder"
    (folder / "more.tsv").unlink()
    coco(folder / "instances.json", [], [])
    with pytest.raises(
        PipelineError, match=r"several formats in .*: captions.csv \(table\) and instances.json \(coco\)"
    ):
        layout_of(folder)
    assert layout_of(folder, "coco").table == folder / "instances.json"
    assert layout_of(folder, table="instances.json").format == "coco"


def test_a_table_outside_the_source_is_refused(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg"])
    (tmp_path / "other.csv").write_text("image,caption\n")
    (folder / "captions.csv").symlink_to(tmp_path / "other.csv")
    for table in (None, "captions.csv"):
        with pytest.raises(PipelineError, match=r"path outside the source in .*own: captions\.csv; copy the table"):
            layout_of(folder, table=table)
    (folder / "inside.csv").write_text("image,caption\n")
    (folder / "captions.csv").unlink()
    (folder / "captions.csv").symlink_to("inside.csv")
    assert layout_of(folder, table="captions.csv").table == folder / "captions.csv"


def test_folders_named_like_tables_or_tars_are_image_folders(tmp_path: Path) -> None:
    for name in ("x.csv/a.jpg", "y.tar/b.jpg", "z.json/c.jpg"):
        pictures(tmp_path / "own", [name])
    assert layout_of(tmp_path / "own").format == "folder"


def test_text_with_the_mark_of_a_tar_is_a_table(tmp_path: Path) -> None:
    start = '{"url": "http://a.test/'
    line = start + "x" * (257 - len(start)) + 'ustar\0.jpg", "caption": "a"}\n'
    (tmp_path / "rows").write_text(line * 9)
    assert layout_of(tmp_path / "rows").format == "table"


def test_img2dataset_output_with_tables_beside_tars_is_webdataset(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    for number in (1, 0):
        write_tar(folder / f"{number:05d}.tar", {"a.jpg": b"x"})
        (folder / f"{number:05d}.parquet").write_bytes(b"PAR1")
        (folder / f"{number:05d}_stats.json").write_text("{}")
    found = layout_of(folder)
    assert (found.format, found.tars) == ("webdataset", (folder / "00000.tar", folder / "00001.tar"))
    (folder / "00000.json").write_text("{}")
    with pytest.raises(
        PipelineError, match=r"several formats in .*: 00000\.tar \(webdataset\) and 00000\.json \(coco\)"
    ):
        layout_of(folder)


@pytest.mark.parametrize(
    ("format", "table", "message"),
    [
        (
            "webdataset",
            None,
            r"no WebDataset shards in .*: 0\.tar\.gz is compressed; put uncompressed tars into the folder",
        ),
        ("table", None, r"no single table file in .*: no such file; name it in annotations\.table"),
        ("redcaps", None, r"not a zip in .*: a folder"),
        (None, "gone.csv", r"missing table in .*: no gone\.csv; correct annotations\.table"),
        (None, "../other.csv", r"path outside the source in .*: \.\./other\.csv"),
    ],
)
def test_a_layout_that_does_not_match_the_settings_is_an_error(
    tmp_path: Path, format: str | None, table: str | None, message: str
) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg"])
    (folder / "0.tar.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "other.csv").write_text("image,caption\n")
    with pytest.raises(PipelineError, match=message):
        layout_of(folder, format, table)  # type: ignore[arg-type]
