"""WebDataset tars: members that share a name up to its first dot are one sample.

``0001.jpg``, ``0001.txt`` and ``0001.json`` are an image, its caption and its description. Tars are read once, member
by member. Nothing is unpacked or unpickled; the image stays where it is.
"""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from workflow_scripts.acquisition.annotations.formats.columns import Columns, fields_of
from workflow_scripts.acquisition.annotations.formats.files import IMAGES, SourceFiles
from workflow_scripts.acquisition.annotations.formats.layout import PACKED_TARS
from workflow_scripts.acquisition.annotations.formats.sample import Sample, sample_of
from workflow_scripts.acquisition.annotations.formats.sidecars import caption_text
from workflow_scripts.acquisition.annotations.formats.tables import parsed
from workflow_scripts.acquisition.annotations.local_image import LocalImage
from workflow_scripts.acquisition.annotations.rows import LARGEST_ROW, Apart
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files import tars
from workflow_scripts.core.files.foreign import readable
from workflow_scripts.core.files.names import derived_id

ADVICE = "pack that shard again, as an uncompressed tar, or move it away"
Parts = dict[str, Any]  # of a sample: image, txt, json, and unfit: the reason not to use it


def webdataset_samples(
    shards: tuple[Path, ...], columns: Columns, files: SourceFiles, lines: bool = False
) -> Iterator[Sample]:
    """The samples of all shards, in order.

    The caption is that of the ``.txt`` member, else the field of the ``.json`` member. The id is a field of the JSON
    only where ``columns.id`` names it: keys of shards need not be unique.

    Args:
        lines: whether each line of a text member is a caption.

    Raises:
        PipelineError: a shard is not a tar, is compressed, damaged, or not among ``shards``.
    """
    _check_all(shards, files)
    own_id = columns if columns.id is not None else columns.model_copy(update={"id": ""})
    for shard in shards:
        name = "" if shard == files.source else shard.relative_to(files.source).as_posix()
        if name and not files.is_inside(name):
            yield Sample({"url": name}, unfit=Apart.BAD_PATH)
            continue
        with readable("unreadable WebDataset shard", shard, ADVICE):
            for key, parts in _grouped(shard, name):
                yield _sample(name, key, parts, own_id, files, lines)


def _check_all(shards: tuple[Path, ...], files: SourceFiles) -> None:
    """Raise PipelineError if a tar of the source would not be read."""
    read = {shard.name for shard in shards}
    tars_there = (name for name in files.names(everywhere=True) if name.lower().endswith((".tar", *PACKED_TARS)))
    left = [name for name in tars_there if name not in read]
    if left:
        value = f"{len(left)} compressed or in a subfolder, the first of them {left[0]}"
        advice = "put all tars, uncompressed, at the top of the source"
        raise PipelineError("unread shards", files.source, value, advice)


def _grouped(shard: Path, name: str) -> Iterator[tuple[str, Parts]]:
    """Groups of consecutive members that share a key; a member that repeats a suffix starts another group."""
    key, parts, kinds = "", Parts(), set[str]()
    for member in tars.members(shard, packed=False, links=True):
        folder, slash, base = member.name.rpartition("/")
        stem, _, suffix = base.partition(".")
        kind = suffix.lower()
        if not stem or (kind not in ("txt", "json") and f".{kind}" not in IMAGES):
            continue
        if parts and (folder + slash + stem != key or kind in kinds):
            yield key, parts
            parts, kinds = {}, set()
        key = folder + slash + stem
        kinds.add(kind)
        if member.is_link:
            parts["unfit"] = Apart.BAD_PATH
        elif kind in ("txt", "json") and member.size > LARGEST_ROW:
            parts.setdefault("unfit", Apart.OVERSIZED_ROW)
        elif kind in ("txt", "json"):
            parts.setdefault(kind, member.read())
        elif "image" not in parts:
            parts["image"] = LocalImage(_hash(member), name, member.offset, member.size)
    if parts:
        yield key, parts


def _hash(member: tars.Member) -> str:
    digest = sha256()
    for piece in member.pieces():
        digest.update(piece)
    return digest.hexdigest()


def _sample(name: str, key: str, parts: Parts, columns: Columns, files: SourceFiles, lines: bool) -> Sample:
    image, described, caption = parts.get("image"), parts.get("json"), parts.get("txt")
    place = f"{name}/{key}"
    if "unfit" in parts:
        return Sample({"url": place}, unfit=parts["unfit"])
    record = {} if described is None else parsed(described)
    if not isinstance(record, dict):
        return Sample({"url": place}, unfit=Apart.MALFORMED_ROW)
    fields = {field: one for field, one in fields_of(record, columns).items() if field != "image"}
    if "url" in fields and not isinstance(record[fields["url"]], str):
        del fields["url"]  # it is never fetched; only a removal list needs it
    if caption is not None:
        text = caption_text(caption, lines)
        if isinstance(text, Apart):
            return Sample({"url": place}, unfit=text)
        record, fields = {**record, "txt": text}, {**fields, "caption": "txt"}
    made = sample_of(record, fields, files)
    raw = made.raw if "id" in fields else made.raw | {"image_id": derived_id(place)}
    unfit = made.unfit or (Apart.NO_IMAGE if image is None else None)
    return replace(made, raw=raw, image=image, unfit=unfit)
