"""The table of lost rows."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.acquisition.annotations.local_image import LocalImage
from workflow_scripts.acquisition.card.lost import write_lost


def test_lost_rows_have_plain_paths_and_no_formulas(tmp_path: Path) -> None:
    apart = [("-a", "=HYPERLINK(1)", "no_image"), (None, None, "malformed_row"), ("b", 'x,\n"y"', "bad_path")]
    table = pa.Table.from_pylist([dict(zip(("image_id", "url", "reason"), row, strict=True)) for row in apart])
    pq.write_table(table, tmp_path / "apart.parquet")
    shard = [("c", LocalImage("0" * 64, "é 1.jpg").url, "corrupt"), ("d", "http://a.test/1", "ok")]
    table = pa.Table.from_pylist([dict(zip(("key", "url", "state"), row, strict=True)) for row in shard])
    pq.write_table(table, tmp_path / "shard.parquet")
    write_lost(tmp_path / "lost.csv", [tmp_path / "apart.parquet", tmp_path / "shard.parquet"])
    with open(tmp_path / "lost.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["id", "file_or_url", "reason"],
        ["'-a", "'=HYPERLINK(1)", "no_image"],
        ["", "", "malformed_row"],
        ["b", 'x,\n"y"', "bad_path"],
        ["c", "é 1.jpg", "corrupt"],
    ]
