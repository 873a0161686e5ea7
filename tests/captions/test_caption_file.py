"""Caption tables of users: parquet and CSV, and what is neither."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.captions.caption_file import read_captions
from workflow_scripts.core.errors import PipelineError


def test_csv_and_parquet_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text('extra,caption,key\n1,"a ""red"", cat",007\n2,NA,b\n', encoding="utf-8")
    rows = {"key": ["007", "b"], "caption": ['a "red", cat', "NA"]}
    pq.write_table(pa.table({**rows, "more": [1, 2]}), tmp_path / "noname")
    assert read_captions(tmp_path / "c.csv").to_pydict() == rows
    assert read_captions(tmp_path / "noname").to_pydict() == rows


@pytest.mark.parametrize("content", [b"", b"id,text\n1,a\n", b"PAR1 and then nothing", b"key,caption\n1,2,3\n"])
def test_unreadable_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(PipelineError, match=r"unreadable caption table in .*bad"):
        read_captions(tmp_path / "bad")
