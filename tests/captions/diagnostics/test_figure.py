"""The figure: a PNG of the same bytes each time, also when there is little to show."""

from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from workflow_scripts.captions.diagnostics.caption_statistics import describe
from workflow_scripts.captions.diagnostics.figure import draw
from workflow_scripts.captions.diagnostics.summary import summarise


@pytest.mark.parametrize("captions", [["wow", "a red cat", "", "grass"], []])
def test_same_bytes(captions: list[str], tmp_path: Path) -> None:
    columns, codes = describe(pa.chunked_array([pa.array(captions, pa.string())]), 4)
    count = len(captions)
    table = (
        columns.append_column("origin", pa.array(["original"] * count, pa.string()))
        .append_column("itm", pa.array([0.5] * count, pa.float32()))
        .append_column("retrieval_rank", pa.array([1.0] * count, pa.float32()))
    )
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, table, summarise(table, codes, 500))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1000, 700)
        assert "Software" not in picture.info
