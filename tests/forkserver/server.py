"""Imports libraries once and runs each command in a fork of itself, for ``client.py``.

``python server.py SOCKET SCRIPT MODULE...``: SCRIPT is a file to run, or ``-m`` for commands that name a module. The
server ends with its standard input. It imports nothing of the project, which differs from one checkout to the next.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

PATH = sys.path[:]
Request = dict[str, Any]


def receive(connection: socket.socket) -> tuple[Request, list[int]] | None:
    """A client's request and its three streams; None if the client was killed meanwhile, or sent something else."""
    head, streams, _, _ = socket.recv_fds(connection, 4, 3)
    content = b""
    while head and len(content) < struct.unpack("!I", head)[0]:
        part = connection.recv(1 << 16)
        if not part:
            break
        content += part
    else:
        with suppress(ValueError):
            if head:
                return json.loads(content), streams
    for stream in streams:
        os.close(stream)
    return None


class Server:
    """Accepts clients and watches over their commands.

    Attributes:
        running: descriptor of a process -> its number and its client; None once it was killed with its client.
    """

    def __init__(self, path: str) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        self.running: dict[int, tuple[int, socket.socket | None]] = {}

    def serve(self) -> tuple[Request, list[int]] | None:
        """Serve until the standard input ends; in a fork, gives the request that it is to run."""
        ended = False
        while self.running or not ended:
            clients = [client for _, client in self.running.values() if client]
            ready, _, _ = select.select([self.listener, *self.running, *clients, *([] if ended else [0])], [], [])
            ended = ended or 0 in ready
            for process in self.running.keys() & {one for one in ready if isinstance(one, int)}:
                self.report(process)
            for process, (number, client) in list(self.running.items()):
                if client in ready and client is not None and not self.forward(client, number):
                    self.running[process] = (number, None)
            if self.listener in ready:
                given = self.accept()
                if given is not None:
                    return given
        return None

    def accept(self) -> tuple[Request, list[int]] | None:
        """Fork for the next client; gives its request in the fork."""
        client, _ = self.listener.accept()
        given = receive(client)
        if given is None:
            return None
        number = os.fork()
        if not number:
            os.setsid()
            for one in (self.listener, client, *(other for _, other in self.running.values() if other)):
                one.close()
            for process in self.running:
                os.close(process)
            return given
        for stream in given[1]:
            os.close(stream)
        self.running[os.pidfd_open(number)] = (number, client)
        return None

    def report(self, process: int) -> None:
        """Tell a client how its command ended."""
        number, client = self.running.pop(process)
        os.close(process)
        _, status = os.waitpid(number, 0)
        if client is not None:
            with suppress(BrokenPipeError):  # it was killed at this moment
                client.send(struct.pack("!I", status))
            client.close()

    def forward(self, client: socket.socket, number: int) -> bool:
        """Forward a client's signals to its command, or kill the command with its client; whether the client lives."""
        with suppress(ConnectionResetError):
            if signals := client.recv(16):
                for one in signals:
                    os.kill(number, one)
                return True
        client.close()
        with suppress(ProcessLookupError):  # it has no group of its own yet
            os.killpg(number, signal.SIGKILL)
        os.kill(number, signal.SIGKILL)
        return False


def become(request: Request, streams: list[int]) -> None:
    """Take over the client's streams, environment and folder."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    os.chdir(request["cwd"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.dont_write_bytecode = bool(request["env"].get("PYTHONDONTWRITEBYTECODE"))
    given = request["env"].get("PYTHONPATH", "")
    sys.path[:] = [*(part for part in given.split(os.pathsep) if part), *PATH]


def main() -> None:
    """The command; in a fork of the server, the client's command."""
    path, script, *modules = sys.argv[1:]
    imported = {module: importlib.import_module(module) for module in modules}
    if "pydantic" in imported:
        imported["pydantic"].create_model("First")  # which looks for plugins in all installed packages
    gc.collect()
    gc.freeze()
    server = Server(path)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    given = server.serve()
    if given is None:
        return
    request, streams = given
    become(request, streams)
    if script == "-m":
        _, module, *words = request["words"]
        sys.argv = [module, *words]
        sys.path.insert(0, request["cwd"])
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv = [script, *request["words"]]
        sys.path.insert(0, os.path.dirname(script))
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
