"""``faithful-pairs browse`` as a process."""

import csv
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.browse.small_study import study_of
from workflow_scripts.commands.main import main


def test_browse_serves_pages_until_ctrl_c(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    command = [sys.executable, "-m", "workflow_scripts.commands", "browse", str(study), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        said = [process.stdout.readline() for _ in range(3)]
        assert said[0] == "left out: pair_table/mpnet (1 pairs of other images)\n"
        assert said[1].startswith("http://127.0.0.1:") and said[2] == "Ctrl-C ends it\n"
        with urllib.request.urlopen(said[1].strip()) as answer:
            assert b"Captions of study" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == f"building the index of {study}\n"


def test_a_port_in_use_is_an_error_with_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = study_of(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        assert main(["browse", str(study), "--port", str(port)]) == 1
    assert f"no server in 127.0.0.1:{port}: Address already in use; give another --port" in capsys.readouterr().err


def test_browsing_a_folder_without_a_study_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["browse", str(tmp_path)]) == 1
    assert "missing file" in capsys.readouterr().err


def test_an_exported_page_is_self_contained_and_reproducible(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of(tmp_path)
    out = [tmp_path / "paper" / "one.html", tmp_path / "paper" / "two.html"]
    for path in out:
        assert main(["browse", str(study), "--export", str(path), "--view", "q=dog&arm=original"]) == 0
        assert f"{path}: 2 images and 1 more as neighbours" in capsys.readouterr().out
    text = out[0].read_text()
    assert out[1].read_text() == text
    assert text.count("<article") == 2 and text.count('src="data:image/jpeg;base64,') == 3
    assert "<script" not in text and 'src="http' not in text and 'href="http' not in text
    assert "search: dog" in text and "in: original" in text
    records = sorted((study / "copies").iterdir(), key=lambda path: path.read_text())
    rows = [list(csv.DictReader(path.open())) for path in records]
    assert [row["key"] for row in rows[0]] == ["k0", "k3", "k5"]  # k0: the partner of k5
    assert [rows[0][0]["copy"], rows[1][0]["copy"]] == [str(path) for path in out]


def test_the_default_page_is_a_random_sample(tmp_path: Path) -> None:
    assert main(["browse", str(study_of(tmp_path)), "--export", str(tmp_path / "a.html"), "--images", "4"]) == 0
    assert (tmp_path / "a.html").read_text().count("<article") == 4
    assert "order: random" in (tmp_path / "a.html").read_text()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--view", "q=x"], 2, "these are options of --export"),
        (["--images", "3"], 2, "these are options of --export"),
        (["--export", "{folder}/a.html", "--view", "q=nowhere"], 1, "no image in {folder}/a.html: q=nowhere"),
        (["--export", "{folder}/a.html", "--view", "score=x"], 1, "invalid view in score: x"),
        (["--export", "{folder}/there.html"], 1, "file exists in {folder}/there.html"),
    ],
)
def test_invalid_exports_are_refused_and_write_nothing(
    tmp_path: Path, words: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of(tmp_path)
    (tmp_path / "there.html").write_text("of last year")
    assert main(["browse", str(study), *(word.format(folder=tmp_path) for word in words)]) == status
    assert message.format(folder=tmp_path) in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "there.html").read_text() == "of last year"
    assert not (tmp_path / "a.html").exists() and not (study / "copies").exists()


def test_exporting_a_page_to_a_folder_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["browse", str(study_of(tmp_path)), "--export", ""]) == 1
    assert capsys.readouterr().err.endswith(
        "error: file exists in .: it may be in use; give another file with --export\n"
    )
