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
Rank = tuple[Any, ...]


def captions_of(value: Any) -> list[Any]:
    """The captions in a field, which holds a text, or a list of texts or of objects; those that are blank left out."""
    members = value if isinstance(value, list) else [value]
    found = [one.get(TEXT[0], one.get(TEXT[1])) if isinstance(one, dict) else one for one in members]
    return [one for one in found if one is not None and (not isinstance(one, str) or one.strip())]


def rank(choose: Choose | None, image: Any, number: Any, caption: Any) -> Rank:
    """What orders the captions of an image; the lowest one is used.

    A random choice depends only on the image's id and its captions: it is that of the lowest hash.
    """
    if choose == "longest":
        return -len(caption) if isinstance(caption, str) else 0, number
    if choose == "random":
        return sha256(f"{image}\n{caption}".encode(errors="surrogatepass")).digest(), number
    return (number,)


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
            ranked = ((rank(choose, image, number, one), one) for number, one in enumerate(captions))
            yield _with(sample, min(ranked, default=(None, None), key=lambda both: both[0])[1])
            continue
        for caption in captions:
            yield _with(sample, caption, f"{image}-{numbers[image]}")
            numbers[image] += 1


def _with(sample: Sample, caption: Any, image: Any = None) -> Sample:
    raw = sample.raw | {"caption": caption} | ({} if image is None else {"image_id": image})
    return replace(sample, raw=raw, size=len(caption) if isinstance(caption, str) else sample.size)


def of_rows(read: Callable[[], Iterable[Sample]], choose: Choose | None) -> Iterator[Sample]:
    """The samples of rows, of which several may be of one image: the others of an image are ``further_caption``.

    Args:
        read: reads the rows; called twice, unless all of them are used. Memory holds a rank for each id.
    """
    if choose in (None, "each"):
        yield from read()
        return
    best: dict[str, Rank] = {}
    for number, sample in enumerate(read()):
        if (ranked := _ranked(sample, choose, number)) is not None:
            image = sample.raw["image_id"]
            best[image] = min(ranked, best.get(image, ranked))
    for number, sample in enumerate(read()):
        ranked = _ranked(sample, choose, number)
        further = ranked is not None and ranked != best[sample.raw["image_id"]]
        yield replace(sample, unfit=Apart.FURTHER_CAPTION) if further else sample


def _ranked(sample: Sample, choose: Choose | None, number: int) -> Rank | None:
    """The rank of a row's best caption; None if the row can't be used."""
    raw = sample.raw
    if sample.unfit is not None or not isinstance(raw, dict) or not isinstance(raw.get("image_id"), str):
        return None
    captions = captions_of(raw.get("caption"))
    return min((rank(choose, raw["image_id"], number, one) for one in captions), default=None)
