"""Whether a source holds all of a public set, as published: its archives, split sizes and classes."""

import hashlib
from collections import Counter
from pathlib import Path

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet
from workflow_scripts.evaluation.datasets.picture_sets import Listing

MD5_DIGITS = 32


def check_archives(row: DownstreamSet, root: Path) -> None:
    """Compare archives that lie in the source with the published checksums.

    Raises:
        PipelineError: an archive is damaged or another one, and so probably is what was unpacked from it.
    """
    for name, published in row.archives.items():
        for path in sorted(root.rglob(name)):
            with path.open("rb") as stream:
                algorithm = "md5" if len(published) == MD5_DIGITS else "sha256"
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
    if found != expected:
        value = ", ".join(f"{split} {found.get(split, 0)} of {size} images" for split, size in expected.items())
        raise PipelineError("incomplete or changed dataset", where, value, advice)
    if listing.left_out["outside_split_counts"] != row.unused:
        value = f"{listing.left_out['outside_split_counts']} images outside the splits, not {row.unused}"
        raise PipelineError("incomplete or changed dataset", where, value, advice)
    classes = {split: len({one.class_name for one in listing.entries if one.split == split}) for split in expected}
    if set(classes.values()) != {row.classes}:
        value = ", ".join(f"{split} {count} of {row.classes} classes" for split, count in classes.items())
        raise PipelineError("class missing", where, value, advice)
