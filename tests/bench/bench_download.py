"""The downloader against the bare decode, resize and encode loop on the same bytes.

Run: python tests/bench/bench_download.py [images] [threads]. The server is a process of its own on the loopback
interface; its CPU time is reported, since it takes its share of the machine from the downloader alone. The ratio is
bare seconds / our seconds, in images/s of the median pair. Wanted: 0.6 or more.
"""

import asyncio
import io
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from tests.acquisition.ledgers import opened
from workflow_scripts.acquisition.fetch import fetch
from workflow_scripts.core.settings.download import Download

SIDE, MAX_SIDE, QUALITY, REPEATS, HOST = 1600, 512, 90, 3, "photos.test"


def photo(seed: int) -> bytes:
    """A JPEG of quality 88, 1600 px wide: noise smoothed at several scales, as detailed as a photo."""
    rng = np.random.default_rng(seed)
    total = np.zeros((SIDE * 3 // 4, SIDE, 3), dtype=np.float32)
    for cells, weight in ((6, 1.0), (40, 0.5), (200, 0.25)):
        coarse = rng.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8)
        total += weight * np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE * 3 // 4), Image.Resampling.BICUBIC))
    target = io.BytesIO()
    Image.fromarray((total / 1.75).astype(np.uint8)).save(target, "JPEG", quality=88)
    return target.getvalue()


def serve(pictures: list[bytes], pipe: Connection) -> None:
    """Answer GET /<n>.jpg until the pipe is written to; sends the port first and the CPU seconds last."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                body = pictures[int(request.split(b" ", 2)[1][1:-4]) % len(pictures)]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                writer.write(body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        pipe.send(time.process_time())
        pipe.close()
        os._exit(0)

    asyncio.run(run())


def bare(pictures: list[bytes], threads: int) -> float:
    """Images per second of decoding (at a smaller scale, as libjpeg offers), resizing and encoding alone."""

    def one(data: bytes) -> int:
        image = Image.open(io.BytesIO(data))
        scale = MAX_SIDE / max(image.size)
        size = (round(image.width * scale), round(image.height * scale))
        image.draft("RGB", size)
        target = io.BytesIO()
        image.resize(size, Image.Resampling.LANCZOS).save(target, "JPEG", quality=QUALITY)
        return len(target.getvalue())

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        stored = sum(pool.map(one, pictures))
    assert stored > 0
    return len(pictures) / (time.perf_counter() - start)


def downloader(pictures: list[bytes], threads: int, port: int) -> float:
    """Images per second of the downloader, store and all."""
    hosts = {"default": {"rate": 100_000, "connections": 16}}
    settings = Download.model_validate({"hosts": hosts, "max_side": MAX_SIDE, "jpeg_quality": QUALITY})
    urls = [f"http://{HOST}/{number}.jpg" for number in range(len(pictures))]
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), settings, urls) as ledger:
        start = time.perf_counter()
        fetch(ledger, settings, {HOST: f"127.0.0.1:{port}"}, threads)
        seconds = time.perf_counter() - start
        assert [record.state for record in ledger.done.values()] == ["ok"] * len(urls)
        assert {max(record.width, record.height) for record in ledger.done.values()} == {MAX_SIDE}
    return len(urls) / seconds


def main() -> None:
    """Time both in turn and print one JSON line."""
    images, threads = (int(given) for given in [*sys.argv[1:], *("320", "2")[len(sys.argv) - 1 :]])
    some = [photo(seed) for seed in range(min(images, 40))]
    pictures = [some[number % len(some)] for number in range(images)]
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(some, theirs), daemon=True)
    server.start()
    port = ours.recv()
    pairs = [(bare(pictures, threads), downloader(pictures, threads, port)) for _ in range(REPEATS)]
    ours.send("end")
    facts = {
        "bare_images_per_second": round(statistics.median(one for one, _ in pairs), 1),
        "images_per_second": round(statistics.median(one for _, one in pairs), 1),
        "server_cpu_seconds": round(ours.recv(), 2),
        "kilobytes_per_image": round(sum(map(len, pictures)) / len(pictures) / 1000),
    }
    server.join()
    ratio = round(statistics.median(got / most for most, got in pairs), 3)
    line = {"bench": "download", "images": images, "threads": threads, "ratio": ratio, **facts}
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
