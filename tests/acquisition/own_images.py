"""Captioned images of somebody's own, in each format that the annotations stage reads."""

import json
from pathlib import Path

from tests.acquisition.pictures import jpeg
from workflow_scripts.acquisition.annotations.formats.columns import Columns
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.layout import Choose, Layout, layout_of
from workflow_scripts.acquisition.annotations.formats.sample import Sample
from workflow_scripts.acquisition.annotations.own import samples_of
from workflow_scripts.core.sources import listing


def pictures(folder: Path, names: list[str]) -> Path:
    """A different JPEG for each name below ``folder``."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(40 + seed, 36, seed=seed))
    return folder


def coco(path: Path, images: list[object], annotations: list[object]) -> Path:
    """A COCO-style file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"info": {}, "images": images, "annotations": annotations}))
    return path


def read(
    source: Path, images: str = "", layout: Layout | None = None, choose: Choose | None = None, **columns: str
) -> list[Sample]:
    """The samples of a source, of a format that is detected unless ``layout`` states it."""
    hashes = {entry["path"]: entry["sha256"] for entry in listing(source, source.parent / "results")}
    files = SourceFiles(source, hashes, images)
    return list(samples_of(layout or layout_of(source), Columns(**columns), files, choose))


def shown(samples: list[Sample]) -> list[tuple[str | None, str | None, str | None]]:
    """Path of the image, caption, and what is wrong, of each sample."""
    return [
        (
            one.image.path if one.image else None,
            one.raw.get("caption") if isinstance(one.raw, dict) else None,
            str(one.unfit) if one.unfit else None if isinstance(one.raw, dict) else type(one.raw).__name__,
        )
        for one in samples
    ]
