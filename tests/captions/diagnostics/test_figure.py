"""The figure: a PNG of the same bytes each time, also when there is little to show."""

from pathlib import Path

import pytest
from PIL import Image

from tests.captions.diagnostics.measured import summarised
from workflow_scripts.captions.diagnostics.figure import draw
from workflow_scripts.captions.diagnostics.summary import summarise


@pytest.mark.parametrize("captions", [["wow", "a red cat", "", "grass"], []])
def test_the_figure_has_the_same_bytes_each_time(captions: list[str], tmp_path: Path) -> None:
    count = len(captions)
    table = summarised(tmp_path, captions, itm=[0.5] * count, retrieval_rank=[1.0] * count)
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, table, summarise(table))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1000, 700)
        assert "Software" not in picture.info
