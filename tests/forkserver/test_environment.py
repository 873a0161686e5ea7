"""A command run by a fork server can't be told from one in a new interpreter, but for its time."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forkserver.environment import ForkServers
from tests.workflow.checkout import give_to_user

COMMANDS = {"python": ("json", "unittest.mock"), "snakemake": ("argparse",)}
MODULE = """
import json, os, signal, sys, time
umask = os.umask(0)
found = {
    "argv": sys.argv[1:], "name": __name__, "package": __package__, "path": sys.path[0], "cwd": os.getcwd(),
    "word": os.environ.get("WORD"), "count": len(os.environ), "umask": umask, "executable": sys.executable,
    "prefix": sys.prefix, "hash": hash("a"), "imported": "unittest.mock" in sys.modules, "input": sys.stdin.read(),
    "ignored": signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN, "session": os.getsid(0), "pid": os.getpid(),
}
print(json.dumps(found), flush=True)
print("to the other stream", file=sys.stderr, flush=True)
how = sys.argv[1]
if how == "exit":
    sys.exit(7)
if how == "raise":
    raise KeyError("word")
if how == "wait":
    open("started", "w").write(str(os.getpid()))
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[ForkServers]:
    """Servers that start quickly."""
    folder = Path(tempfile.mkdtemp(prefix="fork-"))
    folder.chmod(0o755)
    made = ForkServers(folder, COMMANDS)
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.fixture
def project(open_folder: Path) -> Path:
    """A folder with a module ``workflow_scripts.probe``."""
    package = open_folder / "workflow_scripts"
    package.mkdir()
    (package / "probe.py").write_text(MODULE)
    give_to_user(open_folder)
    return open_folder


def start(servers: ForkServers, project: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """Start the module by the stand-in for ``python``."""
    # A shell's background job ignores SIGINT, and so would its children.
    return subprocess.Popen(
        ["env", "--default-signal=INT", str(servers.bin / "python"), "-m", "workflow_scripts.probe", *words],
        cwd=project,
        env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", "PYTHONPATH": str(project), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        umask=0o27,
    )


def outcome(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    """Exit status, what the module found, and what it wrote to standard error."""
    out, said = process.communicate("typed", timeout=60)
    return process.returncode, json.loads(out), said


@pytest.mark.parametrize(("how", "status"), [("end", 0), ("exit", 7), ("raise", 1)])
def test_a_forked_command_behaves_as_in_a_new_interpreter(
    servers: ForkServers, project: Path, how: str, status: int
) -> None:
    forked = outcome(start(servers, project, how, "with space", WORD="é"))
    alone = outcome(start(servers, project, how, "with space", WORD="é", LD_PRELOAD=""))
    assert (forked[0], alone[0]) == (status, status)
    assert forked[2].splitlines()[0] == alone[2].splitlines()[0] == "to the other stream"
    assert forked[2].splitlines()[-1] == alone[2].splitlines()[-1]
    found, expected = forked[1], alone[1]
    assert (found.pop("imported"), expected.pop("imported")) == (True, False)
    assert expected.pop("count") == found.pop("count") + 1  # LD_PRELOAD
    assert found["word"] == "é" and found["umask"] == 0o27 and found["input"] == "typed"
    unlike = {"session", "pid"}
    assert {k: v for k, v in found.items() if k not in unlike} == {k: v for k, v in expected.items() if k not in unlike}


@pytest.mark.parametrize(
    ("words", "environment"),
    [(("end", "--threads", "2"), {}), (("end",), {"PYTHONHASHSEED": "1"}), (("end",), {"LD_PRELOAD": ""})],
)
def test_commands_that_a_fork_cannot_reproduce_run_in_a_new_interpreter(
    servers: ForkServers, project: Path, words: tuple[str, ...], environment: dict[str, str]
) -> None:
    assert not outcome(start(servers, project, *words, **environment))[1]["imported"]
    assert outcome(start(servers, project, "end", "--threads", "1"))[1]["imported"]
    assert outcome(start(servers, project, "end", LD_PRELOAD="", SERVER_PRELOAD=""))[1]["imported"]


def started(project: Path, process: subprocess.Popen[str]) -> int:
    """Pid of the module once it waits."""
    assert process.stdin is not None
    process.stdin.close()
    file = project / "started"
    while process.poll() is None and not (file.exists() and file.read_text()):
        time.sleep(0.02)
    return int(file.read_text())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signals_reach_the_forked_process(servers: ForkServers, project: Path, number: signal.Signals) -> None:
    process = start(servers, project, "wait")
    pid = started(project, process)
    assert pid != process.pid
    process.send_signal(number)
    assert process.wait(timeout=60) == -number
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.02)
    assert process.stderr is not None
    said = process.stderr.read()
    assert ("KeyboardInterrupt" in said) == (number == signal.SIGINT)


def test_without_a_server_a_command_runs_in_a_new_interpreter(project: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="fork-"))
    folder.chmod(0o755)
    ended = ForkServers(folder, COMMANDS)
    ended.close()
    status, found, _ = outcome(start(ended, project, "end"))
    shutil.rmtree(folder)
    assert status == 0 and not found["imported"]


def test_snakemake_runs_on_the_fork_server(servers: ForkServers, open_folder: Path) -> None:
    give_to_user(open_folder)
    (open_folder / "Snakefile").write_text(
        'import sys\n\nprint("argparse" in sys.modules, sys.executable)\n\nrule all:\n    output: "made"\n'
        '    shell: "{sys.executable} -c 1; touch {output}"\n'
    )
    environment = {**os.environ, "HOME": str(open_folder), "XDG_CACHE_HOME": str(open_folder)}
    command = [*servers.snakemake, "--cores", "1", "--quiet", "all"]
    done = subprocess.run(command, cwd=open_folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (open_folder / "made").exists() and str(servers.bin / "python3") in done.stdout
