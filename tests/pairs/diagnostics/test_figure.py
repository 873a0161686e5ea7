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
