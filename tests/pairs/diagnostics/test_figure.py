"""The figure: a PNG of the same bytes each time, also when there is little to show."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workflow_scripts.pairs.diagnostics.figure import draw
from workflow_scripts.pairs.diagnostics.quality import Knowledge, judge
from workflow_scripts.pairs.key_join import ImageVectors, PairRows


@pytest.mark.parametrize("count", [0, 30])
def test_the_figure_has_the_same_bytes_each_time(count: int, tmp_path: Path) -> None:
    source = np.arange(count)
    pairs = PairRows(source, source ^ 1, np.linspace(0, 1, count, dtype=np.float32), 30)
    vectors = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32) if count else None
    images = None if vectors is None else ImageVectors(vectors, np.arange(30))
    table, summary, random = judge(pairs, Knowledge(30, np.zeros(30, np.int64), images), 512, 0)
    image = None if random is None else table["image_cosine"].to_numpy()
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, pairs.cosine, np.bincount(pairs.target, minlength=30), image, random, summary)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1000, 700)


def test_only_the_mark_of_chance_has_the_second_colour(tmp_path: Path) -> None:
    source = np.arange(30)
    pairs = PairRows(source, source ^ 1, np.linspace(0, 1, 30, dtype=np.float32), 30)
    summary = judge(pairs, Knowledge(30, source // 15), 512, 0)[1]
    draw(tmp_path / "a.png", pairs.cosine, np.bincount(pairs.target, minlength=30), None, None, summary)
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    rows, columns = np.nonzero((pixels == [0xC8, 0x78, 0x3C]).all(axis=2))
    assert len(rows) > 50 and np.ptp(columns) < 5 and rows.min() > 350 and columns.min() > 500
    assert (pixels[450:600, 150:350] < 80).any(), "the note on image vectors, in the middle of its part"
