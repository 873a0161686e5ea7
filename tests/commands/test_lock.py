"""``lock`` on a config whose model and captions are on a hub on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.study.config.conftest import hub, overlay
from tests.study.config.hub import NEW, OLD, TINY, Hub
from workflow_scripts.commands.main import main

__all__ = ["hub", "overlay"]  # fixtures
SHA = "e7a8b7d29e3e3ce363523d6d6325f6c8dd810686d1b400dfdb158997e0ef254e"


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit status and both outputs of ``lock``."""
    status = main(["lock", *words])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_write_check_and_update(
    overlay: Path, hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(overlay.parent)
    words = ["--configfile", str(Path(__file__).resolve().parents[2] / TINY), "--configfile", "mine.yaml"]
    path, url = overlay.with_suffix(".lock.yaml"), f"{hub.address}/captions.csv"
    added = f"added    someone/model@main: {OLD}\nadded    {url}: {SHA}\n"
    assert said([*words, "--check"], capsys) == (1, f"{added}mine.lock.yaml: out of date; hub models: 1, URLs: 1\n", "")
    assert not path.exists()
    assert said(words, capsys) == (0, f"{added}mine.lock.yaml: written; hub models: 1, URLs: 1\n", "")
    first = path.read_bytes()
    assert f'"someone/model@main": "{OLD}"'.encode() in first and f'"{url}": "{SHA}"'.encode() in first
    assert said([*words, "--check"], capsys) == (0, "mine.lock.yaml: up to date; hub models: 1, URLs: 1\n", "")
    place = path.stat().st_ino
    said(words, capsys)
    assert path.read_bytes() == first and path.stat().st_ino == place  # not written again: its folder may be read-only
    assert sorted(one.name for one in overlay.parent.glob("*mine*")) == ["mine.lock.yaml", "mine.yaml"]

    hub.branches["main"] = NEW
    overlay.write_text(overlay.read_text().replace("captions.csv", "captions.csv?dl=1"))
    hub.files["/captions.csv?dl=1"] = hub.files["/captions.csv"]
    changes = f"changed  someone/model@main: {OLD} -> {NEW}\nremoved  {url}: {SHA}\nadded    {url}?dl=1: {SHA}\n"
    state = "mine.lock.yaml: {}; hub models: 1, URLs: 1\n"
    assert said([*words, "--check"], capsys) == (1, changes + state.format("out of date"), "")
    assert path.read_bytes() == first
    assert said(words, capsys) == (0, changes + state.format("written"), "")
    assert said([*words, "--check"], capsys)[0] == 0


def test_a_damaged_lock_is_an_error(overlay: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--configfile", TINY, "--configfile", str(overlay)]
    path = overlay.with_suffix(".lock.yaml")
    path.write_text("hub: {\n")
    for more in ([], ["--check"]):
        status, out, err = said([*words, *more], capsys)
        assert status == 1 and out == "" and err.startswith(f"error: damaged lock in {path}:")


def test_nothing_is_written_when_a_source_can_not_be_reached(
    overlay: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--configfile", TINY, "--configfile", str(overlay)]
    said(words, capsys)
    before = overlay.with_suffix(".lock.yaml").read_bytes()
    hub.branches["main"] = NEW
    hub.files.clear()
    for more in ([], ["--check"]):
        status, out, err = said([*words, *more], capsys)
        assert (status, out) == (1, "")
        assert err.startswith(f"error: cannot fetch file in {overlay}:7 (arms.0.table): {hub.address}/captions.csv: ")
        assert err.count("\n") == 1
    assert overlay.with_suffix(".lock.yaml").read_bytes() == before


def test_a_secret_is_neither_written_nor_printed(
    overlay: Path, hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, table = "T0PSECRETVALUE", f"{hub.address}/captions.csv?token=${{PAIRS_TOKEN}}"
    hub.files[f"/captions.csv?token={secret}"] = hub.files.pop("/captions.csv")
    overlay.write_text(overlay.read_text().replace("captions.csv", "captions.csv?token=${PAIRS_TOKEN}"))
    words = ["--configfile", TINY, "--configfile", str(overlay)]
    # In a process of its own, as a user starts it.
    command = [sys.executable, "-m", "workflow_scripts.commands", "lock", *words]
    environment = {**os.environ, "PAIRS_TOKEN": secret, "HF_TOKEN": secret}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and secret not in done.stdout
    lock = overlay.with_suffix(".lock.yaml").read_text()
    assert secret not in lock and f'"{table}": "{SHA}"' in lock
    monkeypatch.setenv("PAIRS_TOKEN", "0THERSECRETVALUE")
    status, _, err = said(words, capsys)
    assert status == 1 and "/captions.csv?..." in err and "HTTP Error 404" in err and "0THERSECRETVALUE" not in err
    overlay.write_text(overlay.read_text().replace("${PAIRS_TOKEN}", secret))
    status, _, err = said(words, capsys)
    assert status == 1 and "has a secret" in err and secret not in err


def test_nothing_is_written_if_there_is_nothing_to_lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("study: mine\n")
    words = ["--configfile", "profiles/demo/study.yaml", "--configfile", str(overlay)]
    assert said(words, capsys) == (0, "nothing to lock: the config names no hub model and no URL\n", "")
    assert list(tmp_path.iterdir()) == [overlay]
