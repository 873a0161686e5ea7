"""Caption tables of users: parquet and CSV, and what is neither."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.captions.caption_file import read_captions
from workflow_scripts.core.errors import PipelineError

KEYS = pa.chunked_array([["007", "b"]])


def test_csv_and_parquet_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text('extra,caption,key\n1,"a ""red"", cat",007\n2,NA,b\n', encoding="utf-8")
    rows = {"key": ["007", "b"], "caption": ['a "red", cat', "NA"]}
    pq.write_table(pa.table({**rows, "more": [1, 2]}), tmp_path / "noname")
    assert read_captions(tmp_path / "c.csv", KEYS).to_pydict() == rows
    assert read_captions(tmp_path / "noname", KEYS).to_pydict() == rows


@pytest.mark.parametrize(
    "content",
    [b"", b"id,text\n1,a\n", b"PAR1 and then nothing", b"key,caption\n1,2,3\n", b"key,key,caption\n1,2,3\n"],
)
def test_unreadable_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(PipelineError, match=r"unreadable caption table in .*bad"):
        read_captions(tmp_path / "bad", KEYS)


def test_rows_of_other_images_are_not_held(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("key,caption\nother,x\nb,y\n")
    pq.write_table(pa.table({"key": ["other", "b"], "caption": ["x", "y"]}), tmp_path / "c.parquet")
    for name in ("c.csv", "c.parquet"):
        assert read_captions(tmp_path / name, KEYS).to_pydict() == {"key": ["b"], "caption": ["y"]}


def test_numbers_may_be_keys_but_nothing_else_may(tmp_path: Path) -> None:
    pq.write_table(pa.table({"key": [7], "caption": ["x"]}), tmp_path / "c")
    assert read_captions(tmp_path / "c", pa.chunked_array([["7"]])).to_pydict() == {"key": ["7"], "caption": ["x"]}
    for strange in ([[1]], [1.5], [{"a": 1}], [True]):
        pq.write_table(pa.table({"key": ["b"], "caption": strange}), tmp_path / "c")
        with pytest.raises(PipelineError, match=r"column caption is of type .*, but must be string"):
            read_captions(tmp_path / "c", KEYS)
