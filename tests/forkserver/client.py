"""Stands in for ``python`` and ``snakemake``: a fork server that has imported the libraries runs the command.

Arguments, environment, folder, umask and the three streams are handed over, signals are forwarded, and the exit status
is the command's; if this process is killed, so is the command. What the server can't run runs in a new interpreter.
"""

import json
import os
import signal
import socket
import struct
import sys
from itertools import pairwise

HERE, NAME = os.path.split(os.path.abspath(sys.argv[0]))
WORDS = sys.argv[1:]
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def fits() -> bool:
    """Whether the server's interpreter is in the state in which a new one would be after the imports."""
    if os.environ.get("LD_PRELOAD") != os.environ.get("SERVER_PRELOAD"):
        return False
    if NAME == "snakemake":
        return True
    threads = [value for name, value in pairwise(WORDS) if name == "--threads"]
    ours = WORDS[:1] == ["-m"] and WORDS[1].partition(".")[0] in ("workflow_scripts", "pytest")
    return ours and set(threads) <= {"1"} and os.environ.get("PYTHONHASHSEED") == "0"


def run_alone() -> None:
    """Become a new interpreter."""
    script = [os.path.join(HERE, "snakemake-script")] if NAME == "snakemake" else []
    os.execv(os.path.join(HERE, "python3"), [os.path.join(HERE, "python3"), *script, *WORDS])


def hand_over(server: socket.socket) -> None:
    """Send the command, and forward signals from then on; one that comes before ends this process."""
    ignored = [number for number in FORWARDED if signal.getsignal(number) == signal.SIG_IGN]
    umask = os.umask(0)
    request = {"words": WORDS, "env": dict(os.environ), "cwd": os.getcwd(), "umask": umask, "ignored": ignored}
    content = json.dumps(request).encode()
    socket.send_fds(server, [struct.pack("!I", len(content))], [0, 1, 2])
    server.sendall(content)
    for number in set(FORWARDED) - set(ignored):
        signal.signal(number, lambda received, _: server.sendall(bytes([received])))


def main() -> None:
    """The command."""
    server = socket.socket(socket.AF_UNIX)
    try:
        if not fits():
            run_alone()
        server.connect(os.path.join(HERE, NAME + ".socket"))
    except OSError:  # the test run that started the server has ended
        run_alone()
    hand_over(server)
    answer = server.recv(4)
    if not answer:
        sys.exit(f"the fork server of {HERE} is gone")
    (status,) = struct.unpack("!I", answer)
    if os.WIFSIGNALED(status):
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


main()
