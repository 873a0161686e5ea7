"""Tables and tars of other people: read as needed, and what is wrong with them said in plain words."""

import gzip
import lzma
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from tests.file_bytes import write_tar
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files import tars
from workflow_scripts.core.files.foreign import batches, readable, refuse_lists, table_batches

TEXT = {"a": pa.string()}


def read(path: Path) -> list[str | None]:
    """Column a."""
    with readable("unreadable table", path, "mend it"):
        return [row["a"] for batch in batches(path, TEXT, rows=2) for row in batch.to_pylist()]
    raise AssertionError


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["x", None, "z"]),
        pa.array(["x", None, "z"], pa.large_string()),
        pa.array(["x", None, "z"]).dictionary_encode(),
    ],
)
def test_text_columns_of_any_arrow_type_are_read(tmp_path: Path, column: pa.Array) -> None:
    pq.write_table(pa.table({"b": [1, 2, 3], "a": column}), tmp_path / "t")
    assert read(tmp_path / "t") == ["x", None, "z"]


def test_errors_of_foreign_tables_are_specific(tmp_path: Path) -> None:
    path = tmp_path / "t"
    pq.write_table(pa.table({"b": [1]}), path)
    with pytest.raises(PipelineError, match=r"unreadable table in .*t: no columns named a; the columns are b; mend it"):
        read(path)
    pq.write_table(pa.Table.from_arrays([pa.array(["x"])] * 2, names=["a", "a"]), path)
    with pytest.raises(PipelineError, match="2 columns named a"):
        read(path)
    pq.write_table(pa.table({"a": [{"x": 1}]}), path)
    with pytest.raises(PipelineError, match=r"column a is of type struct<x: int64>, but must be string"):
        read(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(PipelineError, match="unreadable table"):
        read(path)
    with pytest.raises(PipelineError, match="unreadable table"):
        read(tmp_path / "missing")


def test_a_table_is_parquet_or_csv_by_its_content(tmp_path: Path) -> None:
    table = pa.table({"a": ["x", "NA", ""]})
    pq.write_table(table, tmp_path / "parquet.csv")
    csv.write_csv(table, tmp_path / "csv.parquet")
    assert all(pa.Table.from_batches(table_batches(path, TEXT)) == table for path in tmp_path.iterdir())


def test_long_texts_are_refused_only_where_they_are_read(tmp_path: Path) -> None:
    def found(rows: int, size: int, column: str) -> int:
        texts = {"a": ["x"] * rows, "b": ["y"] * rows} | {column: ["x" * size] * rows}
        pq.write_table(pa.table(texts), tmp_path / "t", use_dictionary=False)
        return len(read(tmp_path / "t"))

    assert (found(5_000, 14_000, "a"), found(4_000, 17_000, "b")) == (5_000, 4_000)
    with pytest.raises(PipelineError, match=r"column a has 68\d{6} bytes of text in 4000 rows, which is too much"):
        found(4_000, 17_000, "a")


def test_a_column_is_refused_if_half_of_its_texts_are_lists() -> None:
    for texts in (["['A dog.']", " ", "A cat."], ["['A dog.', \"A cat's.\",]", '[ "A cow." ]']):
        with pytest.raises(PipelineError, match=r"lists written as text in t\.csv: column caption has \['A dog\.'"):
            refuse_lists(Path("t.csv"), "caption", texts)
    for texts in (["['A dog.']", "A cat.", "A cow."], ['["]', "[']", "[A cat.]"], []):
        refuse_lists(Path("t.csv"), "caption", texts)


def packed(path: Path, size: int, claimed: int | None = None, kind: bytes = tarfile.REGTYPE) -> Path:
    """A tar with one member, whose header claims a size."""
    member = tarfile.TarInfo("a.png")
    member.size, member.type = size if claimed is None else claimed, kind
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(size + -size % 512) + bytes(1024))
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
@pytest.mark.parametrize("claimed", [2**40, 2**33, 3000])
def test_a_tar_member_with_an_excessive_claimed_size_is_rejected(tmp_path: Path, pack: object, claimed: int) -> None:
    path = packed(tmp_path / "t.tar", 100, claimed)
    path.write_bytes(pack(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(tars.BROKEN):
        [member.read() for member in tars.members(path)]
    with pytest.raises(tars.BROKEN):
        list(tars.members(path))


def test_headers_that_unpack_to_gigabytes_are_not_read(tmp_path: Path) -> None:
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        path = packed(tmp_path / "t.tar", 64 << 20, kind=kind)
        path.write_bytes(gzip.compress(path.read_bytes(), 1))
        with pytest.raises(tars.BROKEN):
            list(tars.members(path))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_tar_without_its_end_is_refused(tmp_path: Path, pack: object) -> None:
    path = write_tar(tmp_path / "t.tar", dict.fromkeys("abc", b""))
    whole = path.read_bytes()

    def names(data: bytes) -> list[str]:
        path.write_bytes(pack(data))  # type: ignore[operator]
        return [member.name for member in tars.members(path)]

    assert names(whole) == names(whole[: 4 * 512]) == ["a", "b", "c"]
    with pytest.raises(tarfile.ReadError, match="no end of the archive: it was cut off or never closed at byte 1024"):
        names(whole[: 2 * 512])
    for joined in (whole + whole, whole[:512] + bytes(512) + whole[1024:]):
        with pytest.raises(tarfile.ReadError, match=r"data after the end of the archive at byte (512|1536)"):
            names(joined)
    for damaged in (whole[:512] + b"?" + whole[513:], whole[: 2 * 512 + 300]):
        with pytest.raises(tarfile.ReadError, match=r"damaged header at byte (512|1024)"):
            names(damaged)


def test_offsets_are_those_of_the_tar(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "t.tar", {"a": b"one", "b": b"x" * 512, "c": b""})
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    raw = path.read_bytes()
    found = {one.name: raw[one.offset : one.offset + one.size] for one in tars.members(path)}
    assert found == {"a": b"one", "b": b"x" * 512, "c": b""}
    path.write_bytes(gzip.compress(raw))
    assert {one.name: one.read() for one in tars.members(path)} == found
    with pytest.raises(tars.BROKEN):
        list(tars.members(path, packed=False))
    assert [one.name for one in tars.members(path, links=True) if one.is_link] == ["link"]
