"""A step in chunks: every view is filled once, from its image, however many chunks there are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.pretraining.shapes import images
from workflow_scripts.core.shards import TarImages
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.data.chunks import Filler, chunks
from workflow_scripts.pretraining.data.crops import draws

SHOWN = np.array([[4, 2, 2, 9, 0], [4, 1, 9, 2, 7]])
VIEWS = [AUGMENTATIONS["simclr"], AUGMENTATIONS["none"]]
UNIFORM = np.stack([draws(0, 1, view, 0, 5) for view in (0, 1)])


def filled(shown: TarImages, most: int, readers: int = 2, keep: bool = False) -> torch.Tensor:
    filler, pixels = Filler(shown, VIEWS, 20, readers, keep), torch.zeros((2, 5, 20, 20, 3), dtype=torch.uint8)
    for chunk in chunks(SHOWN, most):
        filler.fill(chunk, filler.request(chunk), pixels, UNIFORM)
    return pixels


@pytest.mark.parametrize("most", [1, 2, 5, 6, 100])
def test_each_image_is_in_a_single_chunk_with_all_its_views(most: int) -> None:
    made = list(chunks(SHOWN, most))
    rows = [row for chunk in made for row in chunk.rows.tolist()]
    assert rows == [0, 1, 2, 4, 7, 9] and max(len(chunk.rows) for chunk in made) <= most
    found = np.full(10, -1)
    for chunk in made:
        for row, start, stop in zip(chunk.rows, chunk.starts, chunk.starts[1:], strict=False):
            found[chunk.places[start:stop]] = row
        assert chunk.starts[-1] == len(chunk.places)
    assert found.reshape(2, 5).tolist() == SHOWN.tolist()


def test_no_byte_depends_on_chunks_readers_or_memory(tmp_path: Path) -> None:
    shown = images(tmp_path, 10)
    whole = filled(shown, 100)
    assert all(int(view.float().std() > 0) for view in whole.flatten(0, 1))
    for most, readers, keep in ((1, 1, False), (2, 8, True), (4, 3, False)):
        assert torch.equal(filled(shown, most, readers, keep), whole)
