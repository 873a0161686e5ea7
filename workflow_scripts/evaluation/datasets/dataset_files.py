"""Converts a downstream dataset to a common format: a tar of encoded images (and masks) and a table of rows."""

import hashlib
import io
import tarfile
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from PIL import Image

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.images.decoding import MOST_PIXELS, UNDECODABLE
from workflow_scripts.core.threads import mapped
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, PictureSet
from workflow_scripts.evaluation.datasets.registry import DownstreamSet
from workflow_scripts.evaluation.datasets.splits import Entry, cut, limited, without_rare

STORED = (("offset", pa.int64()), ("size", pa.int64()), ("sha256", pa.string()))  # where bytes lie in the tar
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("label", pa.int32()),
        *[(name, pa.string()) for name in ("class_name", "split")],
        *STORED,
        *[(f"mask_{name}", kind) for name, kind in STORED],
        ("member", pa.string()),
    ]
)


class Choice(NamedTuple):
    """Which images of a dataset are used: see the settings of ``eval_dataset`` for each field."""

    seed: int
    val_fraction: float
    test_fraction: float
    limit: dict[str, int]
    min_per_class: int


def choose(listing: Listing, choice: Choice, where: str) -> tuple[list[Entry], Counter[str]]:
    """The images to keep, with their final split, and those left out by reason.

    An unsplit set (no ``test``) gives ``test_fraction`` of its images to test; a set without ``val`` gives
    ``val_fraction`` of its training images to val. Both by a hash of each image's name.

    Raises:
        PipelineError: train or test is empty, or a class of the source's own test split has no training image.
    """
    left_out = Counter(listing.left_out)
    entries = without_rare(listing.entries, choice.min_per_class)
    left_out["class_below_min_per_class"] = len(listing.entries) - len(entries)
    official = any(entry.split == "test" for entry in entries)
    for split, fraction in (("test", choice.test_fraction), ("val", choice.val_fraction)):
        if not any(entry.split == split for entry in entries):
            entries = cut(entries, split, fraction, choice.seed)
    untrained = _untrained(entries)
    if official and untrained:
        raise _no_training_images(untrained, entries, where)
    left_out["no_training_image_of_class"] = sum(entry.class_name in untrained for entry in entries)
    entries = [entry for entry in entries if entry.class_name not in untrained]
    kept = limited(entries, choice.limit, choice.seed)
    left_out["over_limit"] = len(entries) - len(kept)
    counts = Counter(one.split for one in kept)
    if not counts["train"] or not counts["test"]:
        advice = "raise limit, or test_fraction for a set without a test split"
        raise PipelineError("empty split", where, dict(counts), advice)
    return kept, left_out


def _untrained(entries: Iterable[Entry]) -> set[str]:
    """Classes that only have test images: no probe, which is fitted on train and val, can find them."""
    trained = {entry.class_name for entry in entries if entry.split != "test"}
    return {entry.class_name for entry in entries} - trained


def _no_training_images(untrained: Iterable[str], entries: Iterable[Entry], where: str) -> PipelineError:
    def folded(name: str) -> str:
        return unicodedata.normalize("NFC", name).casefold().replace("_", " ")

    trained = {folded(entry.class_name): entry.class_name for entry in entries if entry.split != "test"}
    told = []
    for name in sorted(untrained):
        near = get_close_matches(folded(name), trained, 1)
        told.append(f"{name!a}, perhaps {trained[near[0]]!a} of train" if near else repr(name))
    advice = "give each class the same name in every split, or leave it out"
    return PipelineError("test classes without training images", where, "; ".join(told[:5]), advice)


def key_of(name: str) -> str:
    """Key of an image: 20 hex digits of the sha256 of its name, so always safe as a file name."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:20]


def class_list(listing: Listing, entries: Sequence[Entry]) -> list[str]:
    """Classes in label order: the set's own order where it has one, else sorted; unused ones are left out."""
    used = {one.class_name for one in entries}
    return [name for name in listing.classes if name in used] or sorted(used)


def write_dataset(
    source: PictureSet, entries: Sequence[Entry], classes: Sequence[str], tar_path: Path, workers: int
) -> pa.Table:
    """Copy the chosen images into a tar and give its table (:data:`SCHEMA`), in source order.

    Every image is decoded once, so that a corrupt one is found here and not in a later stage.

    Raises:
        PipelineError: an image or a mask can't be decoded (the member is named), or a selected one is missing.
    """
    chosen = {one.name: one for one in entries}
    labels = {name: label for label, name in enumerate(classes)}
    rows = []
    with tarfile.open(tar_path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for picture in checked(source.read(frozenset(chosen)), source.where, workers):
            entry = chosen.pop(picture.name)
            key = key_of(entry.name)
            image = _add(tar, f"{key}.img", picture.image)
            mask = _add(tar, f"{key}.mask.png", picture.mask)
            member = entry.name.encode("utf-8", "replace").decode()
            rows.append((key, labels[entry.class_name], entry.class_name, entry.split, *image, *mask, member))
    if chosen:
        raise PipelineError("image removed during reading", source.where, sorted(chosen)[0], "run it again")
    return pa.table(list(zip(*rows, strict=True)), schema=SCHEMA)


def checked(pictures: Iterator[Picture], where: str, workers: int) -> Iterator[Picture]:
    """``pictures`` in order, each decoded to check that it is intact."""
    for picture, fault in mapped(lambda picture: (picture, fault_of(picture)), pictures, workers):
        if fault:
            value = f"member {picture.name!r} ({fault})"
            raise PipelineError("corrupt image", where, value, "fetch the dataset again or remove the member")
        yield picture


def fault_of(picture: Picture) -> str:
    """What is wrong with a picture, or an empty text."""
    part = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(picture.image))
            if image.width * image.height > MOST_PIXELS:
                return f"{image.width} x {image.height} pixels, more than {MOST_PIXELS}"
            image.load()
            if picture.mask is not None:
                part = "its mask: "
                mask = Image.open(io.BytesIO(picture.mask))
                if mask.size != image.size:  # known before the pixels are decoded
                    return "its mask has another size"
                mask.load()
    except UNDECODABLE as error:
        return part + (str(error) or type(error).__name__)
    return ""


def _add(tar: tarfile.TarFile, name: str, data: bytes | None) -> tuple[int, int, str] | tuple[None, None, None]:
    """Add a member, if there is one; returns the offset, number and sha256 of its bytes."""
    if data is None:
        return None, None, None
    header = tarfile.TarInfo(name)
    header.size = len(data)
    offset = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(header, io.BytesIO(data))
    return offset, len(data), hashlib.sha256(data).hexdigest()


def check_archives(row: DownstreamSet, root: Path) -> None:
    """Compare archives that lie in the source with the published checksums.

    Raises:
        PipelineError: an archive is damaged or another one, and so probably is what was unpacked from it.
    """
    for name, published in row.archives.items():
        for path in sorted(root.rglob(name)):
            with path.open("rb") as stream:
                algorithm = "md5" if len(published) == 32 else "sha256"  # hex digits
                found = hashlib.file_digest(stream, algorithm).hexdigest()
            if found != published:
                value = f"{algorithm} {found}, not {published}"
                raise PipelineError("damaged archive", path, value, "fetch it again and unpack it again, or remove it")


def check_contents(row: DownstreamSet, listing: Listing, where: str) -> None:
    """Compare the images of a source with what was published of the set.

    Raises:
        PipelineError: a split has another size, or lacks a class.
    """
    advice = f"get all of {row.homepage}, or read a part of it as kind folders"
    found = dict(Counter(one.split for one in listing.entries))
    # Masks without training images are split later.
    expected = row.sizes if row.kind == "torchvision" or "test" in found else {"train": row.sizes["test"]}
    unused = listing.left_out["outside_split_counts"]
    if found != expected or unused != row.unused:
        value = ", ".join(f"{split} {found.get(split, 0)} of {size} images" for split, size in expected.items())
        value += f", {unused} images outside the splits, not {row.unused}" if unused != row.unused else ""
        raise PipelineError("incomplete or changed dataset", where, value, advice)
    classes = {split: len({one.class_name for one in listing.entries if one.split == split}) for split in expected}
    if set(classes.values()) != {row.classes}:
        value = ", ".join(f"{split} {count} of {row.classes} classes" for split, count in classes.items())
        raise PipelineError("class missing", where, value, advice)
