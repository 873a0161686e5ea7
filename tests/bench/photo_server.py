"""A quick loopback server of pictures for the download benchmark, in a process of its own."""

import asyncio
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection


@dataclass(frozen=True)
class Served:
    """What the server did since it was last asked: requests, the first one's time (time.monotonic), CPU seconds."""

    requests: int
    first: float
    cpu_seconds: float


class PhotoServer:
    """The server as seen from the benchmark; serves picture n as ``/<n>.jpg``."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.port: int = pipe.recv()

    def read(self) -> Served:
        """What was done since the last call."""
        self._pipe.send("read")
        found: Served = self._pipe.recv()
        return found


@contextmanager
def photo_server(pictures: list[bytes]) -> Iterator[PhotoServer]:
    """Serve ``pictures`` until the block ends."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(pictures, theirs), daemon=True)
    process.start()
    try:
        yield PhotoServer(ours)
    finally:
        process.kill()
        process.join()


def _serve(pictures: list[bytes], pipe: Connection) -> None:
    asyncio.run(_run(pictures, pipe))


async def _run(pictures: list[bytes], pipe: Connection) -> None:
    times: list[float] = []
    cpu = time.process_time()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                times.append(time.monotonic())
                body = pictures[int(request.split(b" ", 2)[1].rpartition(b"/")[2].partition(b".")[0])]
                head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body)
                writer.writelines([head, body])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def told() -> None:
        nonlocal cpu
        try:
            pipe.recv()
        except EOFError:
            os._exit(0)
        now = time.process_time()
        pipe.send(Served(len(times), times[0] if times else 0.0, now - cpu))
        times.clear()
        cpu = now

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    asyncio.get_running_loop().add_reader(pipe.fileno(), told)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
