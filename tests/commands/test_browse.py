"""``faithful-pairs browse`` as a process."""

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.browse.small_study import study_of
from workflow_scripts.commands.main import main


def test_it_serves_until_ctrl_c(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    command = [sys.executable, "-m", "workflow_scripts.commands", "browse", str(study), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        said = [process.stdout.readline() for _ in range(3)]
        assert said[0] == "left out: pair_table/original (1 pairs of other images)\n"
        assert said[1].startswith("http://127.0.0.1:") and said[2] == "Ctrl-C ends it\n"
        with urllib.request.urlopen(said[1].strip()) as answer:
            assert b"Captions of study" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == f"building the index of {study}\n"


def test_a_port_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = study_of(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        assert main(["browse", str(study), "--port", str(port)]) == 1
    assert f"no server in 127.0.0.1:{port}: Address already in use; give another --port" in capsys.readouterr().err


def test_a_study_without_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["browse", str(tmp_path)]) == 1
    assert "missing file" in capsys.readouterr().err
