"""Several captions of an image, in a list or in several rows: which of them are used."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

from workflow_scripts.acquisition.annotations.formats.layout import Choose
from workflow_scripts.acquisition.annotations.formats.sample import Sample
from workflow_scripts.acquisition.annotations.rows import Apart

TEXT = ("raw", "caption")  # fields of a caption that is an object; the first is Karpathy's


def captions_of(value: Any) -> list[Any]:
    """The captions in a field, which holds a text, or a list of texts or of objects; those that are blank left out."""
    members = value if isinstance(value, list) else [value]
    found = [one.get(TEXT[0], one.get(TEXT[1])) if isinstance(one, dict) else one for one in members]
    return [one for one in found if one is not None and (not isinstance(one, str) or one.strip())]


def rank(choose: Choose | None, image: Any, caption: Any) -> Any:
    """What orders the captions of an image; the first of those with the lowest rank is used.

    A random choice depends only on the image's id and its captions: it is that of the lowest hash.
    """
    if choose == "longest":
        return -len(caption) if isinstance(caption, str) else 0
    return sha256(f"{image}\n{caption}".encode(errors="surrogatepass")).digest() if choose == "random" else 0


def one_each(samples: Iterable[Sample], choose: Choose | None) -> Iterator[Sample]:
    """The samples with one caption each, of which a list has several; ``each`` gives one sample for each of them.

    The ids of these end with their number: ``<id>-0``, ``<id>-1``, also in several rows of the same image.
    """
    numbers = Counter[str]()
    for sample in samples:
        raw = sample.raw
        if not isinstance(raw, dict) or (choose != "each" and not isinstance(raw.get("caption"), list)):
            yield sample
            continue
        captions, image = captions_of(raw.get("caption")), raw.get("image_id")
        if choose != "each" or sample.unfit is not None or not captions or not isinstance(image, str):
            best = min(captions, key=lambda caption: rank(choose, image, caption), default=None)
            yield replace(sample, raw=raw | {"caption": best})
            continue
        for caption in captions:
            yield replace(sample, raw=raw | {"caption": caption, "image_id": f"{image}-{numbers[image]}"})
            numbers[image] += 1


def of_rows(read: Callable[[], Iterable[Sample]], choose: Choose | None) -> Iterator[Sample]:
    """The samples of rows, of which several may be of one image: the others of an image are ``further_caption``.

    Args:
        read: reads the rows; called twice, unless all of them are used. Memory holds a rank for each id.
    """
    if choose in (None, "each"):
        yield from read()
        return
    best: dict[str, tuple[Any, int]] = {}
    for number, sample in enumerate(read()):
        for image, ranked in _ranked(sample, choose):
            best[image] = min((ranked, number), best.get(image, (ranked, number)))
    for number, sample in enumerate(read()):
        further = any(best[image][1] != number for image, _ in _ranked(sample, choose))
        yield replace(sample, unfit=Apart.FURTHER_CAPTION) if further else sample


def _ranked(sample: Sample, choose: Choose | None) -> list[tuple[str, Any]]:
    """The id of a row's image, and the rank of its best caption; empty if the row can't be used."""
    raw = sample.raw
    if sample.unfit is not None or not isinstance(raw, dict) or not isinstance(raw.get("image_id"), str):
        return []
    ranks = [rank(choose, raw["image_id"], caption) for caption in captions_of(raw.get("caption"))]
    return [(raw["image_id"], min(ranks))] if ranks else []
