"""One image and its caption, as the readers of all formats return them; and which of several captions are used."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.layout import Choose
from workflow_scripts.acquisition.annotations.local_image import LocalImage
from workflow_scripts.acquisition.annotations.rows import Apart
from workflow_scripts.core.files.names import derived_id

GROUP, NO_YEAR = "all", 0  # of rows without a group, and without created_utc
_GROUP = re.compile(r"[^/\\\x00-\x1f\x7f]{1,64}")
_WEB = re.compile(r"https?://", re.IGNORECASE)
TEXT = ("raw", "caption")  # fields of a caption that is an object; the first is Karpathy's
_WHOLE = re.compile(r"-?\d{1,18}")


@dataclass(frozen=True, slots=True)
class Sample:
    """A row before it is checked.

    Attributes:
        raw: the fields that RedCaps' annotations have; anything else is malformed.
        image: location of the image, if it is in the source.
        unfit: the reader's reason not to use the row.
        group: name of its group.
        year: of the post, for rows without ``created_utc``.
        size: approximate number of characters.
        given_url: the web URL that the source gives for the image, which a removal list may name.
    """

    raw: Any
    image: LocalImage | None = None
    unfit: Apart | None = None
    group: str = GROUP
    year: int = NO_YEAR
    size: int = 0
    given_url: str | None = None


def sample_of(record: Mapping[str, Any], fields: Mapping[str, str], files: SourceFiles) -> Sample:
    """The sample that a record of a table describes.

    An image path that is a URL counts as one. A row with both path and URL uses the file if it exists. A list of
    captions stays one (:func:`one_each`).
    """
    value = {field: record.get(name) for field, name in fields.items()}
    caption, group = value.get("caption"), _group(value.get("group"))
    size = len(caption) if isinstance(caption, str) else 0
    path, url = value.get("image") or None, value.get("url") or None
    if isinstance(path, str) and _WEB.match(path):
        path, url = None, url or path
    given = url if isinstance(url, str) else None
    image: LocalImage | Apart | None = None
    if path is not None:
        image = files.image(path) if isinstance(path, str) else Apart.MALFORMED_ROW
    if image is Apart.NO_IMAGE and url is not None:
        image = None
    wanted = value.get("id")
    wanted = str(wanted) if isinstance(wanted, int) and not isinstance(wanted, bool) else wanted or None
    place = image.path if isinstance(image, LocalImage) else str(path or url)
    raw = {
        "image_id": derived_id(place) if wanted is None else wanted,
        "url": url,
        "caption": caption,
        "created_utc": _whole(value.get("created_utc")),
    }
    if group is None:
        return Sample(raw, None, Apart.MALFORMED_ROW, size=size, given_url=given)
    if isinstance(image, Apart):
        raw, unfit = raw | {"url": path if isinstance(path, str) else None}, image
        return Sample(raw, None, unfit, group, size=size, given_url=given)
    return Sample(raw, image, None, group, size=size, given_url=given)


def image_sample(name: str, caption: str | list[str] | None, files: SourceFiles, unfit: Apart | None = None) -> Sample:
    """The sample of a listed image and its caption, which no table describes."""
    image = files.listed(name)
    raw = {"image_id": derived_id(name), "url": name, "caption": caption}
    if isinstance(image, Apart):
        return Sample(raw, unfit=image)
    return Sample(raw, image, unfit, size=sum(map(len, caption or "")))


def _group(value: Any) -> str | None:
    """A group's name in lower case; None if it is not usable, since group names become parts of paths."""
    if value is None or value == "":
        return GROUP
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    return text if _GROUP.fullmatch(text) and text not in (".", "..") and text.isprintable() else None


def _whole(value: Any) -> Any:
    """A whole number that is written as text, as in CSV."""
    if value == "":
        return None
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


def captions_of(value: Any) -> list[Any]:
    """The captions in a field, which holds a text, or a list of texts or of objects; those that are blank left out."""
    members = value if isinstance(value, list) else [value]
    found = [member.get(TEXT[0], member.get(TEXT[1])) if isinstance(member, dict) else member for member in members]
    return [text for text in found if text is not None and (not isinstance(text, str) or text.strip())]


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
