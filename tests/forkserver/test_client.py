"""The client hands a whole request over before it forwards signals."""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.forkserver import environment


def test_a_signal_during_the_request_ends_the_client_and_sends_nothing() -> None:
    folder = Path(tempfile.mkdtemp(prefix="fork-"))  # a socket's path must be short
    client = folder / "snakemake"
    client.write_text((environment.HERE / "client.py").read_text())
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "snakemake.socket"))
    listener.listen(1)
    words = ["x" * 100_000] * 12  # more than the socket's buffers hold
    process = subprocess.Popen([sys.executable, "-IS", str(client), *words], env={})
    try:
        connection, _ = listener.accept()
        with connection:
            socket.recv_fds(connection, 4, 3)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()
        listener.close()
        shutil.rmtree(folder)
