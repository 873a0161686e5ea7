"""Image vectors of BLIP-2, CLIP, a plain ViT and a run of the study."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    ViTModel,
)

from tests.embeddings.small_runs import save_network
from tests.file_bytes import encoded
from tests.helpers import tar_images
from tests.overlap import Overlap
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import TarImages
from workflow_scripts.embeddings import images as images_module
from workflow_scripts.embeddings.blip2_images import blip2_encoder
from workflow_scripts.embeddings.images import Encoder, embed
from workflow_scripts.embeddings.run_images import run_encoder
from workflow_scripts.embeddings.transformers_images import transformers_encoder
from workflow_scripts.models.matcher import load_matcher
from workflow_scripts.models.networks.view import View
from workflow_scripts.models.preprocessing import normalise, prepare

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture
def images(tmp_path: Path, pictures: list[Image.Image]) -> TarImages:
    return tar_images(tmp_path / "s.tar", [encoded(picture) for picture in pictures])


def clip(folder: Path) -> CLIPModel:
    vision = {**SMALL, "image_size": 32, "patch_size": 8}
    model = CLIPModel(CLIPConfig(text_config={**SMALL, "vocab_size": 20}, vision_config=vision, projection_dim=8))
    model.save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return model.eval()


def test_clip_features_do_not_depend_on_batch_or_chunk_size(
    tmp_path: Path, images: TarImages, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = clip(tmp_path / "clip")
    encoder = transformers_encoder(tmp_path / "clip", "cpu")
    results = []
    for batch, chunk in ((1, 2), (9, 1)):
        monkeypatch.setattr(images_module, "BATCHES", chunk)
        work = tmp_path / f"{batch}"
        work.mkdir()
        results.append(embed(images, encoder, batch, work, 2))
    assert np.abs(results[0] - results[1]).max() < 1e-5
    pixels = CLIPImageProcessor.from_pretrained(tmp_path / "clip")(pictures, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        pooled = model.vision_model(pixel_values=pixels).pooler_output
        expected = torch.nn.functional.normalize(model.visual_projection(pooled), dim=-1)
    assert np.abs(results[0] - expected.numpy()).max() < 1e-5


def test_blip2_feature_is_the_mean_over_queries(checkpoints: dict[str, Path], pictures: list[Image.Image]) -> None:
    matcher = load_matcher(checkpoints["matcher"], "cpu", 32)
    vectors = blip2_encoder(checkpoints["matcher"], "cpu")(pictures)
    expected = matcher.image_vectors(matcher.image_states(pictures)).numpy().mean(axis=1)
    assert np.abs(vectors.numpy() - expected).max() < 1e-6


def test_pooled_output_of_a_vit(tmp_path: Path, pictures: list[Image.Image]) -> None:
    config = ViTConfig(**SMALL, image_size=32, patch_size=8)
    ViTModel(config).save_pretrained(tmp_path / "vit")
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "vit")
    assert transformers_encoder(tmp_path / "vit", "cpu")(pictures).shape == (9, 16)
    # Saved with a classifier it has no pooler: the output would be random.
    ViTForImageClassification(config).save_pretrained(tmp_path / "vit")
    with pytest.raises(PipelineError, match=r"incomplete image encoder in .*pooler"):
        transformers_encoder(tmp_path / "vit", "cpu")


def test_a_folder_without_an_encoder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no image encoder"):
        transformers_encoder(tmp_path, "cpu")


def test_images_are_preprocessed_as_in_evaluations(tmp_path: Path, pictures: list[Image.Image]) -> None:
    network, weights, about = save_network(tmp_path)
    encoder = run_encoder(weights, about, View(size=24, side=28, resize="bicubic"), "cpu")
    pixels = torch.stack([prepare(picture, 24, "bicubic", 28) for picture in pictures])
    with torch.no_grad():
        expected = network(normalise(pixels))
    torch.testing.assert_close(encoder(pictures), expected, rtol=1e-5, atol=1e-6)


def test_features_that_are_not_finite_are_an_error(tmp_path: Path, images: TarImages) -> None:
    network, weights, about = save_network(tmp_path)
    save_file({name: tensor * float("nan") for name, tensor in network.state_dict().items()}, weights)
    encoder = run_encoder(weights, about, View(size=24, side=24, resize="bilinear"), "cpu")
    with pytest.raises(
        PipelineError, match=r"vectors not finite in .*last\.safetensors: .*use another encoder or checkpoint"
    ):
        embed(images, encoder, 4, tmp_path, 1)


def test_images_are_read_while_the_device_works_on_any_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_module, "BATCHES", 3)
    images: Any = Overlap(24, 2)

    def encode(pixels: torch.Tensor) -> torch.Tensor:
        images.work()
        return torch.stack([pixels, torch.ones(len(pixels))], dim=1)

    encoder = Encoder(lambda some: torch.tensor([float(np.array(image)[0, 0, 0]) for image in some]), encode)
    vectors = embed(images, encoder, 2, tmp_path, 2)
    np.testing.assert_allclose(vectors[:, 0] / vectors[:, 1], range(24), rtol=1e-6)
    assert images.during == 22 and images.ahead <= 10  # all but those that the device waits for at first


def test_only_images_of_missing_chunks_are_read(
    tmp_path: Path, images: TarImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_module, "BATCHES", 2)
    read: list[int] = []

    class Watched(TarImages):
        def image(self, row: int) -> Image.Image:
            read.append(row)
            return super().image(row)

    def encode(pixels: torch.Tensor) -> torch.Tensor:
        return torch.stack([pixels, torch.ones(len(pixels))], dim=1)

    images.__class__ = Watched
    encoder = Encoder(lambda some: torch.tensor([float(np.array(image).mean()) for image in some]), encode)
    vectors = embed(images, encoder, 2, tmp_path, 1)
    (tmp_path / "vectors-0000000004.npy").unlink()
    assert np.array_equal(embed(images, encoder, 2, tmp_path, 1), vectors)
    assert read == [*range(9), *range(4, 8)]
