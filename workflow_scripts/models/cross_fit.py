"""Ridge regressions from photos with captions by people, of which none has seen the photos that it predicts.

The photos are a folder with the images and ``captions.parquet``. Columns: ``file``, the path of an image in the folder,
and ``captions``, a list of texts.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image, ImageOps
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.foreign import readable
from workflow_scripts.core.images.decoding import UNDECODABLE

TABLE = "captions.parquet"
COLUMNS = pa.schema([("file", pa.string()), ("captions", pa.list_(pa.string()))])
BATCH = 32  # photos
FEWEST = 10  # photos per fold
PENALTIES = np.logspace(0, 6, 13)  # of features with mean 0 and deviation 1


@dataclass(frozen=True)
class CaptionedPhotos:
    """n different photos.

    Attributes:
        folder: where they are.
        hashes: n hashes of their pixels.
        features: (n, w) float32.
        vectors: (n, d) float32, the mean vector of the captions of each.
    """

    folder: Path
    hashes: Sequence[str]
    features: np.ndarray
    vectors: np.ndarray


def pixel_hash(image: Image.Image) -> str:
    """sha256 of the size and the pixels of an RGB image: the same for copies with other metadata."""
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()


def captioned_photos(
    folder: Path,
    features: Callable[[Sequence[Image.Image]], torch.Tensor],
    texts: Callable[[Sequence[str]], torch.Tensor],
) -> CaptionedPhotos:
    """The photos of a folder; copies of a photo count as one photo with the captions of all.

    Args:
        folder: see the module.
        features: n images -> (n, w).
        texts: n captions -> (n, d).

    Raises:
        PipelineError: the table can't be read, or a row has no caption or no image.
    """
    rows = _rows(folder)
    seen: dict[str, np.ndarray] = {}
    captions: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        images = [_image(folder, file) for file, _ in part]
        found = features(images).cpu().numpy()
        vectors = texts([text for _, given in part for text in given]).cpu().numpy()
        ends = np.cumsum([len(given) for _, given in part])[:-1]
        for image, row, own in zip(images, found, np.split(vectors, ends), strict=True):
            name = pixel_hash(image)
            seen[name] = row
            captions.setdefault(name, []).extend(own)
    means = [np.mean(captions[name], axis=0) for name in seen]
    return CaptionedPhotos(folder, list(seen), np.stack(list(seen.values())), np.stack(means))


def _rows(folder: Path) -> list[tuple[str, list[str]]]:
    """File and captions of each photo."""
    path, advice = folder / TABLE, f"give a folder with {TABLE}: columns file (text) and captions (list of texts)"
    with readable("unreadable captioned photos", path, advice):
        names = pq.read_schema(path).names
        if absent := [name for name in COLUMNS.names if name not in names]:
            raise ValueError(f"no column {absent[0]}; the columns are {', '.join(names[:20]) or 'none'}")
        rows = pq.read_table(path, columns=COLUMNS.names).cast(COLUMNS).to_pylist()
        if not rows:
            raise ValueError("no rows")
    for number, row in enumerate(rows):
        texts = row["captions"] or [None]
        if row["file"] is None or not all((text or "").strip() for text in texts):
            value = "no file" if row["file"] is None else "a caption is missing or blank"
            raise PipelineError("incomplete captioned photo", f"{path}, row {number}", value, "complete or remove it")
    return [(row["file"], row["captions"]) for row in rows]


def _image(folder: Path, file: str) -> Image.Image:
    """An image of the folder as RGB; never one outside it."""
    path = folder / file
    advice = f"put it into the folder, or correct the column file of {TABLE}, which holds paths in the folder"
    if Path(file).is_absolute() or ".." in Path(file).parts:
        raise PipelineError("image outside the captioned photos", folder, file, advice)
    try:
        return ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    except FileNotFoundError:
        raise PipelineError("missing image of captioned photos", folder, file, advice) from None
    except UNDECODABLE as error:
        raise PipelineError("corrupt image of captioned photos", path, error, "replace it, or remove its row") from None


@dataclass(frozen=True)
class CrossFitted:
    """Regressions, one per fold.

    Attributes:
        models: fitted estimators of scikit-learn.
        fold: the hash of each photo -> the regression that was fitted without it.
    """

    models: Sequence[Any]
    fold: Mapping[str, int]

    def predict(self, features: np.ndarray, hashes: Sequence[str]) -> np.ndarray:
        """(n, w) features of images with these hashes -> (n, d) float32: of other images the mean of all models."""
        each = np.stack([model.predict(features) for model in self.models])
        found = each.mean(axis=0)
        for row, name in enumerate(hashes):
            if name in self.fold:
                found[row] = each[self.fold[name], row]
        return found.astype(np.float32)


def cross_fit(photos: CaptionedPhotos, folds: int) -> CrossFitted:
    """Fit a regression of caption vectors on features without each of the folds, which the photos' hashes make.

    The penalty is the one of :data:`PENALTIES` with the smallest leave-one-out error on the photos of the fit, as
    scikit-learn's ``RidgeCV`` computes it in closed form.

    Raises:
        PipelineError: too few photos.
    """
    if len(photos.hashes) < FEWEST * folds:
        advice = f"give at least {FEWEST * folds} (better a thousand), or lower folds, which is {folds}"
        raise PipelineError("too few captioned photos", photos.folder, f"{len(photos.hashes)} different ones", advice)
    order = np.argsort(photos.hashes)
    features, vectors = photos.features[order], photos.vectors[order]
    fold = np.arange(len(order)) % folds
    models = [
        make_pipeline(StandardScaler(), RidgeCV(PENALTIES)).fit(features[fold != one], vectors[fold != one])
        for one in range(folds)
    ]
    return CrossFitted(models, {photos.hashes[row]: int(one) for row, one in zip(order, fold, strict=True)})
