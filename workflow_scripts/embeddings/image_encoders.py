"""Kinds of image encoders, one row each.

Imported with every config, so what loads a model is imported in a private function, which is in the keys of the jobs
that use its row, and of no others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workflow_scripts.core.registry import by_name

if TYPE_CHECKING:
    from workflow_scripts.core.runtime.stage import Job
    from workflow_scripts.embeddings.images import Encoder

PACKAGES = ("torch", "transformers", "torchvision", "timm", "pillow", "simplejpeg")
"""PyPI packages whose versions can change vectors of images."""


@dataclass(frozen=True, kw_only=True)
class ImageEncoderKind:
    """A kind of image encoders.

    Attributes:
        name: the setting ``kind`` of an image encoder.
        summary: one phrase.
        load: job of ``embed_images`` or ``embed_tests`` -> the encoder; raises a PipelineError if a file is missing or
            damaged.
        needs: ``source``: a source of its own; ``matcher``: that of ``recaption``, if it has none; ``run``: a run of
            the study.
    """

    name: str
    summary: str
    load: "Callable[[Job[Any]], Encoder]"
    needs: Literal["source", "matcher", "run"]


def _blip2(job: "Job[Any]") -> "Encoder":
    from workflow_scripts.embeddings.blip2_images import blip2_encoder

    return blip2_encoder(job.source("encoder"), job.device)


def _run(job: "Job[Any]") -> "Encoder":
    from workflow_scripts.embeddings.run_images import run_encoder

    run = job.input("run")
    weights = run.path(f"/{job.settings.weights}.safetensors")
    return run_encoder(weights, run.path("/run.json"), job.settings.view, job.device)


def _transformers(job: "Job[Any]") -> "Encoder":
    from workflow_scripts.embeddings.transformers_images import transformers_encoder

    return transformers_encoder(job.source("encoder"), job.device)


IMAGE_ENCODERS = by_name(
    [
        ImageEncoderKind(
            name="blip2", summary="the contrastive image feature of a BLIP-2 matcher", load=_blip2, needs="matcher"
        ),
        ImageEncoderKind(
            name="run",
            summary="the features of a network of this study's runs, trained here or from elsewhere",
            load=_run,
            needs="run",
        ),
        ImageEncoderKind(
            name="transformers",
            summary="any image model that transformers' AutoModel loads, such as CLIP",
            load=_transformers,
            needs="source",
        ),
    ]
)
