"""Batches of two 224 px views of photos whose longer side is 512 px, without their colours, against two other loaders.

    python -m tests.bench.bench_loader [--processes N] [--rounds N] [--only NAME ...]

The baselines: a bare loop of simplejpeg's decoder and the same crops (rows ``crop``, ``simclr``), and the loader of
language-guided SSL's code (``/original``): torchvision's ``read_image``, crops of uint8 tensors and flips, in workers
of a ``DataLoader``. A pair shows two images, or one in two views (``/self``), which the bare loop decodes twice, while
the other loaders decode it once. ``/pack256``: ours reads packs of 256 px, the original's the photos. Each side has as
many processes, and does all its work in them; the process that measures only takes batches. The sides take turns, and
the ratio is that of the medians of pairs per second. ``processor_ratio`` is the same per second of processor time, of
all processes of a side, which other work on the machine hardly changes.

The photos are those of ``../shared/data``, else made up; either way they are enlarged and grainy, so that a file has
about 64 kB. Prints one JSON line per row.
"""

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import simplejpeg
import torch
from PIL import Image
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, IterableDataset
from torchvision.io import ImageReadMode, read_image
from torchvision.transforms import RandomHorizontalFlip, RandomResizedCrop

from tests.helpers import hashes
from workflow_scripts.acquisition.shards.pack_file import shrink
from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.shards import TarImages
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.data.crops import FLIP, crop_box, draws
from workflow_scripts.pretraining.data.loader import Batches, Order, load
from workflow_scripts.pretraining.data.pairing import Pairing, with_itself
from workflow_scripts.pretraining.method import TWO_VIEWS

PHOTOS, LONGER, SIZE, BATCH = 256, 512, 224, 64
QUALITY, GRAIN = 90, 6.5
SKIPPED, TIMED = 7, 8  # batches: those that are ready before, and those that are timed
TARGETS = {
    "crop": 0.95,
    "simclr": 0.95,
    "crop/self": 1.5,
    "simclr/self": 1.5,
    **{f"{name}/original": 1.8 for name in ("crop", "simclr")},
    **{f"{name}/self/original": 2.3 for name in ("crop", "simclr")},
    **{f"{name}/pack256": 3.0 for name in ("crop", "simclr")},
    **{f"{name}/self/pack256": 3.8 for name in ("crop", "simclr")},
}
TARGETS_OF_TWO = {"crop": 0.9, "simclr": 0.9}


@dataclass(frozen=True)
class Kind:
    """What is loaded: the augmentation, and whether both views show one image."""

    augmentation: str
    own: bool

    @property
    def name(self) -> str:
        return self.augmentation + ("/self" if self.own else "")


class Rate(NamedTuple):
    """Pairs per second, by the clock and of processor time."""

    clock: float
    processor: float


def photos() -> list[bytes]:
    """JPEG files of :data:`PHOTOS` photos."""
    generator = np.random.default_rng(0)
    files = sorted((ROOT.parent / "shared/data/photos_captions/images").glob("*.jpg"))[:PHOTOS]
    made = []
    for i in range(PHOTOS):
        if files:
            image = Image.open(files[i % len(files)]).convert("RGB")
        else:  # blots at several scales
            parts = [generator.normal(0, 40, (side, side * 4 // 3, 3)) for side in (3, 12, 48)]
            sized = [Image.fromarray((part + 40).clip(0, 255).astype(np.uint8)).resize((320, 240)) for part in parts]
            image = Image.fromarray(
                np.sum([np.asarray(one, np.uint16) for one in sized], 0).clip(0, 255).astype(np.uint8)
            )
        scale = LONGER / max(image.size)
        large = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
        grain = generator.normal(0, GRAIN, (large.height, large.width, 1))
        buffer = io.BytesIO()
        grainy = (np.asarray(large) + grain).clip(0, 255).astype(np.uint8)
        Image.fromarray(grainy).save(buffer, "JPEG", quality=QUALITY)
        made.append(buffer.getvalue())
    return made


def in_tar(path: Path, files: list[bytes]) -> TarImages:
    """The files twice, as other rows: sources and partners of a step are never the same row."""
    path.write_bytes(b"".join(files))
    size = np.array([len(file) for file in files])
    offset, digests = np.cumsum(size) - size, hashes(files)
    rows = 2 * len(files)
    return TarImages([path], np.zeros(rows, int), np.tile(offset, 2), np.tile(size, 2), np.tile(digests, (2, 1)))


def ours(images: TarImages, kind: Kind, processes: int) -> Iterator[object]:
    """Our batches."""
    pairing, views = with_itself(np.arange(PHOTOS)), [(view, AUGMENTATIONS[kind.augmentation]) for view in TWO_VIEWS]
    if not kind.own:
        partners = PHOTOS + np.random.default_rng(1).permutation(PHOTOS)
        pairing = Pairing(np.arange(PHOTOS), np.arange(PHOTOS + 1), partners)
    batches = Batches(images, False, pairing, Order(PHOTOS, BATCH, 0), views, SIZE, 0)
    return load(batches, range(1, 10**6), processes)


def bare(files: list[bytes], kind: Kind, processes: int) -> Iterator[int]:
    """Batches of bare loops, one in each process, which run ahead as far as ours do."""
    context = get_context("fork")
    links, workers = [], []
    for number in range(processes):
        here, there = context.Pipe()
        workers.append(context.Process(target=_loop, args=(there, files, kind, number), daemon=True))
        workers[-1].start()
        links.append(here)
    try:
        for link in links:
            for _ in range(4 // processes):
                link.send(None)
        while True:
            for link in links:
                link.recv()
                link.send(None)
                yield BATCH
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def _loop(link: Connection, files: list[bytes], kind: Kind, number: int) -> None:
    sizes = np.array([simplejpeg.decode_jpeg_header(file)[:2] for file in files])
    uniform = [draws(number, 1, view, 0, len(files)) for view in (0, 1)]
    area = AUGMENTATIONS[kind.augmentation].area
    assert area is not None
    boxes = [
        [crop_box(row, *size, area) for row, size in zip(numbers, sizes.tolist(), strict=True)] for numbers in uniform
    ]
    flipped = [(AUGMENTATIONS[kind.augmentation].colour & (numbers[:, FLIP] < 0.5)).tolist() for numbers in uniform]
    order = np.random.default_rng(number).permutation(len(files)).tolist()
    out = torch.empty((2, BATCH, SIZE, SIZE, 3), dtype=torch.uint8).permute(0, 1, 4, 2, 3)
    place = 0
    while True:
        link.recv()
        for i in range(BATCH):
            for view in (0, 1):
                row = order[(place + i) % len(files)]
                image = torch.from_numpy(simplejpeg.decode_jpeg(files[row])).permute(2, 0, 1)
                top, left, high, wide = boxes[view][row]
                part = image[None, :, top : top + high, left : left + wide]
                cut = interpolate(part, (SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True)[0]
                out[view, i] = cut.flip(-1) if flipped[view][row] else cut
        place += BATCH
        link.send(None)


class Original(IterableDataset):
    """Pairs as the original's data set makes them, colours left out."""

    def __init__(self, paths: list[str], kind: Kind) -> None:
        crop = RandomResizedCrop(SIZE, scale=AUGMENTATIONS[kind.augmentation].area, antialias=True)
        self.paths, self.own, self.crop = paths, kind.own, crop
        self.flip = RandomHorizontalFlip() if AUGMENTATIONS[kind.augmentation].colour else torch.nn.Identity()

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            order = np.random.permutation(len(self.paths)).tolist()
            for one, other in zip(order, order[::-1], strict=True):
                source = read_image(self.paths[one], ImageReadMode.RGB)
                partner = source if self.own else read_image(self.paths[other], ImageReadMode.RGB)
                yield self.flip(self.crop(source)), self.flip(self.crop(partner))


def original(folder: Path, files: list[bytes], kind: Kind, processes: int) -> Iterator[object]:
    """Batches of the original's loader."""
    paths = [folder / f"{i}.jpg" for i in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file)
    return iter(DataLoader(Original([*map(str, paths)], kind), BATCH, num_workers=processes, prefetch_factor=2))


def processor_seconds(pid: int | str = "self") -> float:
    """Processor time of a process and those below it, from Linux's ``/proc``."""
    total = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0]) / 1e9
            total += sum(map(processor_seconds, (task / "children").read_text().split()))
    return total


def rate(batches: Iterator[object]) -> Rate:
    """Pairs per second, once those that were made beforehand are taken."""
    for _ in range(SKIPPED):
        next(batches)
    start, spent = time.perf_counter(), processor_seconds()
    for _ in range(TIMED):
        next(batches)
    seconds, spent = time.perf_counter() - start, processor_seconds() - spent
    time.sleep(seconds / TIMED * SKIPPED)  # until this side has run ahead and rests
    return Rate(TIMED * BATCH / seconds, TIMED * BATCH / spent)


def measure(kind: Kind, files: list[bytes], folder: Path, processes: int, rounds: int) -> dict[str, tuple[Rate, Rate]]:
    """Medians of ours and of the baseline, by row."""
    small = [shrink(file, Image.open(io.BytesIO(file)).size, 256, QUALITY).data for file in files]
    with ExitStack() as stack:
        # First those that fork this process, which has no other threads yet.
        sides: dict[str, Iterator[object]] = {"bare": bare(files, kind, processes)}
        next(sides["bare"])
        sides["original"] = original(folder, files, kind, processes)
        sides["ours"] = ours(in_tar(folder / "photos.tar", files), kind, processes)
        sides["packed"] = ours(in_tar(folder / "pack.tar", small), kind, processes)
        for name in ("bare", "ours", "packed"):
            stack.enter_context(closing(sides[name]))  # type: ignore[type-var]
        for name in ("ours", "packed"):  # every process has verified every image
            for _ in range(3 * processes * PHOTOS // BATCH):
                next(sides[name])
        found = [{name: rate(side) for name, side in sides.items()} for _ in range(rounds)]
        del sides["original"]
    middle = {name: Rate(*map(statistics.median, zip(*(one[name] for one in found), strict=True))) for name in found[0]}
    return {
        kind.name: (middle["ours"], middle["bare"]),
        f"{kind.name}/original": (middle["ours"], middle["original"]),
        f"{kind.name}/pack256": (middle["packed"], middle["original"]),
    }


def main() -> None:
    """Measure and print; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", default=None, help="crop, crop/self, simclr, simclr/self")
    options = parser.parse_args()
    torch.set_num_threads(1)
    targets = TARGETS | (TARGETS_OF_TWO if options.processes > 1 else {})
    files, missed = photos(), False
    sys.stderr.write(f"{len(files)} photos of {statistics.mean(map(len, files)) / 1000:.1f} kB\n")
    for kind in (Kind(name, own) for name in ("crop", "simclr") for own in (False, True)):
        if options.only is not None and kind.name not in options.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name, (mine, other) in measure(kind, files, Path(folder), options.processes, options.rounds).items():
                ratio, processor_ratio = (one / two for one, two in zip(mine, other, strict=True))
                row = {"bench": name, "ours": round(mine.clock, 1), "baseline": round(other.clock, 1)}
                row |= {"ratio": round(ratio, 3), "target": targets[name], "processor_ratio": round(processor_ratio, 3)}
                row |= {"processes": options.processes}
                missed |= ratio < targets[name]
                sys.stdout.write(json.dumps(row) + "\n")
                sys.stdout.flush()
    raise SystemExit(missed)


if __name__ == "__main__":
    main()
