"""Small BLIP-2 checkpoints and images, made once."""

from pathlib import Path

import pytest
from PIL import Image

from tests.captions.small_blip2 import draw_pictures, save_checkpoints


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders ``captioner`` and ``matcher``."""
    return save_checkpoints(tmp_path_factory.mktemp("blip2"))


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Nine RGB images of several sizes."""
    return draw_pictures()
