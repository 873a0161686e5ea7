"""The images of a shard in one file, one after another, as training reads them, scaled down if the config says so."""

import io
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
from PIL import Image

from workflow_scripts.core.files.tables import write_table
from workflow_scripts.core.images.decoding import UNDECODABLE
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.core.shards import TarImages
from workflow_scripts.core.threads import mapped


def write_pack(
    images: TarImages, rows: pa.Table, side: int | None, quality: int, paths: tuple[Path, Path], workers: int
) -> Counter[str]:
    """Write the images one after another, scaled to a shorter side, and the table of where each of them is.

    The bytes do not depend on the number of workers. A few images are in memory at a time.

    Args:
        images: images of a shard.
        rows: their rows (``index.COLUMNS`` and state), as ``core.shards.shard_images`` gives them.
        side: shorter side in pixels; None: all images keep their bytes.
        quality: of the JPEGs that are written.
        paths: of the images, and of the table. It has the columns of ``rows``: offset (int64), bytes, width, height
            and sha256 are those of the images written.

    Returns:
        Number of images that were ``scaled``, and of those that kept their bytes, by reason.

    Raises:
        PipelineError: an image in the shard does not have the recorded hash.
        OSError: the shard can't be read.
    """
    sizes = list(zip(rows["width"].to_pylist(), rows["height"].to_pylist(), strict=True))

    def made(row: int) -> tuple[Shrunk, str]:
        data = images.bytes(row)
        found = Shrunk(data, *sizes[row], "unchanged") if side is None else shrink(data, sizes[row], side, quality)
        return found, sha256(found.data).hexdigest()

    counts: Counter[str] = Counter()
    columns: dict[str, list] = {name: [] for name in ("offset", "bytes", "width", "height", "sha256")}
    with paths[0].open("wb") as file:
        for one, digest in progress(mapped(made, range(len(rows)), workers), len(rows), "images"):
            counts[one.kept or "scaled"] += 1
            place = (file.tell(), len(one.data), one.width, one.height, digest)
            for column, value in zip(columns.values(), place, strict=True):
                column.append(value)
            file.write(one.data)
    for name, column in columns.items():
        at = rows.column_names.index(name)
        rows = rows.set_column(at, rows.schema.field(at), pa.array(column, rows.schema.field(at).type))
    write_table(paths[1], rows)
    return counts


@dataclass(frozen=True)
class Shrunk:
    """An image for training: its bytes, its size in pixels, and why these are the stored bytes, if they are.

    ``kept`` is ``small`` (the shorter side is not above the wanted one), ``undecodable``, or empty after scaling.
    """

    data: bytes
    width: int
    height: int
    kept: str = ""


def shrink(data: bytes, size: tuple[int, int], side: int, quality: int) -> Shrunk:
    """An image as a JPEG whose shorter side is ``side``, unless it is smaller already.

    It is scaled with Lanczos from all of its pixels. An image that can't be decoded keeps its bytes, so what reads it
    reports it, as without scaling.

    Args:
        data: a stored image, upright and opaque.
        size: its width and height in pixels.
        side: in pixels.
        quality: of the JPEG, 1 to 95.
    """
    if min(size) <= side:
        return Shrunk(data, *size, "small")
    try:
        with Image.open(io.BytesIO(data)) as image:
            plain = image if image.mode in ("RGB", "L") else image.convert("RGB")
            width, height = (max(side, round(side * length / min(plain.size))) for length in plain.size)
            small = plain.resize((width, height), Image.Resampling.LANCZOS)
    except UNDECODABLE:
        return Shrunk(data, *size, "undecodable")
    small.info = {}  # Pillow would write some of it, such as comments
    target = io.BytesIO()
    small.save(target, "JPEG", quality=quality)
    return Shrunk(target.getvalue(), width, height)
