"""Names of the artifacts of work that is divided among jobs: ``<name of the whole>.<part>``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from workflow_scripts.core.parts import part_names

if TYPE_CHECKING:
    from workflow_scripts.study.config.study import Study


def text_vector_parts(study: Study) -> list[str]:
    """Parts of the embeddings of captions."""
    names = ((f"{arm.name}.{encoder.name}", encoder.parts) for arm in study.arms for encoder in study.text_encoders)
    return _parts(names)


def image_vector_parts(study: Study) -> list[str]:
    """Parts of the embeddings of images."""
    return _parts((encoder.name, encoder.parts) for encoder in study.image_encoders)


def _parts(names: Iterable[tuple[str, int]]) -> list[str]:
    return [f"{name}.{part}" for name, parts in names for part in part_names(parts)]


def whole(part: str) -> str:
    """Name of the artifact that a part belongs to."""
    return part.rpartition(".")[0]


def parts_of_unread(unread: set[str], texts: Iterable[str], images: Iterable[str]) -> set[str]:
    """``<stage>/<name>`` of the parts of embeddings that nothing reads."""
    stages = {"embed_captions": texts, "embed_images": images}
    named = ((stage, part) for stage, parts in stages.items() for part in parts)
    return {f"{stage}_part/{part}" for stage, part in named if f"{stage}/{whole(part)}" in unread}
