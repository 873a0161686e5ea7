"""The download stage against img2dataset and against the bare decode, resize and encode loop, on the same bytes.

Run: python tests/bench/bench_download.py --photos FOLDER --img2dataset PYTHON [--images 1500] [--repeats 5]

FOLDER holds photos; a seeded draw of them is enlarged to a longer side of 1,600 pixels at JPEG quality 88. PYTHON is
the interpreter of an environment that has img2dataset 1.47 (it can't share ours). Both downloaders bring all images to
a longer side of 512 pixels at quality 90 and write WebDataset tars, in two processes on two cores (ours as two shard
jobs, as Snakemake runs them), from one server in a process of its own whose CPU seconds are printed. A run's time is
from the server's first request to the end of the process, so that starting Python counts for neither.
``--small`` serves photos of 512 pixels, which need no resizing.

Prints one JSON line: medians of images/s over interleaved runs, ratios of each round's pairs (their median), and PSNR
in dB against full decoding and Lanczos. Wanted: ours / img2dataset >= 1.5 (>= 3 with --small), ours / bare >= 0.8, PSNR
not worse than img2dataset's by more than 0.5. The bare loop uses Lanczos; ``over_default_filter`` is against that loop
with the filter of Pillow's ``resize`` (bicubic), ``over_same_filter`` with the stage's own after scaled decoding.
"""

import argparse
import io
import json
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.bench.photo_server import PhotoServer, photo_server
from tests.stages.acquired import HOST, planned

LARGE, SMALL, QUALITY, SEED = 1600, 512, 90, 0
THEIRS = """
import sys
from img2dataset import download
urls, out, processes, per_shard, skip = sys.argv[1:]
download(url_list=urls, input_format="txt", output_folder=out, output_format="webdataset", image_size=512,
    resize_mode="keep_ratio_largest", resize_only_if_bigger=True, encode_quality=90, encode_format="jpg",
    processes_count=int(processes), thread_count=16, number_sample_per_shard=int(per_shard), retries=0,
    enable_wandb=False, skip_reencode=skip == "skip")
"""


def photos(folder: Path, images: int, side: int) -> list[bytes]:
    """``images`` JPEGs of quality 88 whose longer side has ``side`` pixels, from a seeded draw of ``folder``."""
    paths = sorted(path for path in folder.rglob("*.jp*g") if path.is_file())
    drawn = random.Random(SEED).choices(paths, k=images) if images > len(paths) else None
    chosen = drawn or random.Random(SEED).sample(paths, images)
    return [scaled(path.read_bytes(), side, 88) for path in chosen]


def scaled(data: bytes, side: int, quality: int) -> bytes:
    """A photo fully decoded and resized by Lanczos to a longer side of ``side``."""
    target = io.BytesIO()
    reference(data, side).save(target, "JPEG", quality=quality)
    return target.getvalue()


def reference(data: bytes, side: int) -> Image.Image:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    scale = side / max(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def bare(pictures: list[bytes], resampling: Image.Resampling) -> float:
    """Images per second of decoding (at a smaller scale, as libjpeg offers), resizing and encoding in two threads."""

    def one(data: bytes) -> int:
        image = Image.open(io.BytesIO(data))
        scale = SMALL / max(image.size)
        size = (round(image.width * scale), round(image.height * scale))
        image.draft("RGB", size)
        target = io.BytesIO()
        image.resize(size, resampling).save(target, "JPEG", quality=QUALITY)
        return len(target.getvalue())

    start = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        assert min(pool.map(one, pictures)) > 0
    return len(pictures) / (time.monotonic() - start)


def timed(commands: list[list[str]], server: PhotoServer, images: int) -> float:
    """Images per second of processes that together ask for each once; keeps the server's CPU seconds."""
    server.read()
    running = [subprocess.Popen(one, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for one in commands]
    errors = [process.communicate()[1] for process in running]
    ended = time.monotonic()
    served = server.read()
    if any(process.returncode for process in running) or served.requests != images:
        raise SystemExit(f"{served.requests} requests; {errors[0][-3000:]}")
    CPU.append(served.cpu_seconds)
    return images / (ended - served.first)


CPU: list[float] = []


def ours(folder: Path, images: int, server: PhotoServer, jobs: int) -> float:
    """The stage as Snakemake runs it on so many cores, a shard to each, on a results folder of its own."""
    names = [f"{number}.jpg" for number in range(images)]
    made = planned(folder / "results", folder, names, jobs)
    hosts = {"default": {"rate": 100_000, "connections": 32}}
    settings = {"hosts": hosts, "connect_to": {HOST: f"127.0.0.1:{server.port}"}, "jpeg_quality": QUALITY}
    fixed = ["--device", "cpu", "--workers", str(max(1, 2 // jobs)), "--settings", json.dumps(settings)]
    commands = []
    for shard in (f"{number:05d}" for number in range(jobs)):
        artifact = str(folder / "results" / "study" / "download" / shard)
        words = ["--unit", f"shard={shard}", "--artifact", artifact, "--input", f"plan={made['plan'].manifest_path}"]
        commands.append([sys.executable, "-m", "workflow_scripts.stages.download", *words, *fixed])
    return timed(commands, server, images)


def theirs(folder: Path, images: int, server: PhotoServer, python: str, processes: int, skip: bool) -> float:
    """img2dataset; as many shards as processes."""
    folder.mkdir()
    urls = folder / "urls.txt"
    urls.write_text("".join(f"http://127.0.0.1:{server.port}/{number}.jpg\n" for number in range(images)))
    per_shard = -(-images // processes)
    command = [
        python,
        "-c",
        THEIRS,
        str(urls),
        str(folder / "out"),
        str(processes),
        str(per_shard),
        "skip" if skip else "",
    ]
    return timed([command], server, images)


def stored(folder: Path) -> dict[int, bytes]:
    """Images by number out of the tars below ``folder``, found by the url in the JSON beside each."""
    found, numbers = {}, {}
    for path in sorted(folder.rglob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, kind = member.name.partition(".")
                data = tar.extractfile(member).read()  # type: ignore[union-attr]
                if kind == "json":
                    numbers[path, key] = int(json.loads(data)["url"].rpartition("/")[2].removesuffix(".jpg"))
                elif kind == "jpg":
                    found[path, key] = data
    return {numbers[one]: data for one, data in found.items()}


def psnr(data: bytes, wanted: np.ndarray) -> float:
    found = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)
    return float(10 * np.log10(255**2 / max(np.mean((found - wanted) ** 2), 1e-9)))


def compared(pictures: list[bytes], one: Path, other: Path) -> dict[str, float]:
    """Mean PSNR of both outputs; the same images must be there, in the same sizes."""
    mine, other_images = stored(one), stored(other)
    assert set(mine) == set(other_images) == set(range(len(pictures)))
    sizes = [[Image.open(io.BytesIO(found[n])).size for n in sorted(found)] for found in (mine, other_images)]
    assert {max(size) for size in [*sizes[0], *sizes[1]]} == {SMALL}
    assert max(abs(a - b) for pair in zip(*sizes, strict=True) for a, b in zip(*pair, strict=True)) <= 1
    some = [n for n in range(0, len(pictures), max(1, len(pictures) // 100)) if sizes[0][n] == sizes[1][n]]
    wanted = {n: np.asarray(reference(pictures[n], SMALL)).astype(float) for n in some}
    return {
        "psnr": round(statistics.mean(psnr(mine[n], wanted[n]) for n in some), 2),
        "img2dataset_psnr": round(statistics.mean(psnr(other_images[n], wanted[n]) for n in some), 2),
    }


@dataclass(frozen=True)
class Round:
    """Images per second of one round, all on the same bytes."""

    ours: float
    theirs: float
    bare: float
    bare_default_filter: float
    bare_same_filter: float


def measured(
    args: argparse.Namespace, pictures: list[bytes], server: PhotoServer
) -> tuple[list[Round], dict[str, float]]:
    """The rounds, and the quality of the last one's images."""
    rounds: list[Round] = []
    quality: dict[str, float] = {}
    for number in range(args.repeats):
        with tempfile.TemporaryDirectory() as text:
            one, other = Path(text) / "ours", Path(text) / "theirs"
            (one / "results").mkdir(parents=True)
            rounds.append(
                Round(
                    theirs=theirs(other, args.images, server, args.img2dataset, args.processes, args.skip_reencode),
                    ours=ours(one, args.images, server, args.processes),
                    bare=bare(pictures, Image.Resampling.LANCZOS),
                    bare_default_filter=bare(pictures, Image.Resampling.BICUBIC),
                    bare_same_filter=bare(pictures, Image.Resampling.HAMMING),
                )
            )
            sys.stderr.write(f"{rounds[-1]}\n")
            if number + 1 == args.repeats:
                quality = compared(pictures, one, other)
    return rounds, quality


def main() -> None:
    """Time all in turn and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--img2dataset", required=True, metavar="PYTHON")
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2, help="of each downloader; ours takes a shard in each")
    parser.add_argument("--skip-reencode", action="store_true", help="img2dataset's option of that name")
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    pictures = photos(args.photos, args.images, SMALL if args.small else LARGE)
    with photo_server(pictures) as server:
        rounds, quality = measured(args, pictures, server)
    facts = {
        **{f"{name}_per_second": median(getattr(one, name) for one in rounds) for name in Round.__dataclass_fields__},
        "over_img2dataset": median(one.ours / one.theirs for one in rounds),
        "over_bare": median(one.ours / one.bare for one in rounds),
        "over_default_filter": median(one.ours / one.bare_default_filter for one in rounds),
        "over_same_filter": median(one.ours / one.bare_same_filter for one in rounds),
        "server_cpu_seconds": {"img2dataset": round(CPU[0], 2), "ours": round(CPU[1], 2)},
        "kilobytes_per_image": round(sum(map(len, pictures)) / len(pictures) / 1000),
        **quality,
    }
    sys.stdout.write(json.dumps({"bench": "download", "images": args.images, "rounds": len(rounds), **facts}) + "\n")


def median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 2)


if __name__ == "__main__":
    main()
