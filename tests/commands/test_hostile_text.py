"""No command prints control or bidi characters of names and records to the terminal."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.provenance.hand_made import whole_study
from workflow_scripts.commands.main import main
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.jsonio import pretty

EVIL = "\x1b]0;owned\x07\x1b[2K\x9b31m\x7f\u202e\nerror: forged"
SHOWN = r"\x1b]0;owned\x07\x1b[2K\x9b31m\x7f\u202e\nerror: forged"
ARM = f"select_captions/revised{MANIFEST}"
COPY = f"select_captions/{EVIL}{MANIFEST}"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study with an artifact whose name, settings, versions and host are hostile, and a log like that."""
    made = whole_study(tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    record = json.loads((made / ARM).with_name(f"revised{RUN}").read_text())
    record["settings"][EVIL] = {EVIL: EVIL}
    record["packages"] = {EVIL: EVIL}
    record["host"] = EVIL
    folder = made / "select_captions"
    (folder / f"{EVIL}{RUN}").write_bytes(pretty(record))
    (folder / f"{EVIL}{MANIFEST}").write_bytes((made / ARM).read_bytes())
    logs = made / "logs" / "select_captions"
    logs.mkdir(parents=True, exist_ok=True)
    (logs / f"{EVIL} [red].log").write_text("error: \x1b[31mred\u202e [/] in \x9b")
    return made


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "why": lambda study: ["why", str(study / COPY)],
    "why --json": lambda study: ["why", str(study / COPY), "--json"],
    "diff": lambda study: ["diff", str(study / ARM), str(study / COPY)],
    "diff --json": lambda study: ["diff", str(study / ARM), str(study / COPY), "--json"],
    "impact": lambda study: ["impact", str(study / COPY), str(study)],
    "impact --json": lambda study: ["impact", str(study / COPY), str(study), "--json"],
    "audit": lambda study: ["audit", str(study / "select_captions")],
    "audit --json": lambda study: ["audit", str(study), "--json"],
    "status": lambda study: ["status", str(study)],
    "status --json": lambda study: ["status", str(study), "--json"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_printed_output_has_no_control_characters(name: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(COMMANDS[name](study))
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert [line for line in text.split("\n") if not line.isprintable()] == []
        assert not any(line.startswith("error: forged") for line in text.splitlines())
    if "json" in name:
        assert "forged" in json.dumps(json.loads(said.out))
    else:
        assert SHOWN in said.out and "bug in" not in said.err


@pytest.mark.parametrize("words", ["show", "browse", "label", "remove", "export x", "cache-gc", "crate"])
def test_errors_about_hostile_paths_are_plain(words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command, *more = words.split()
    main([command, str(tmp_path / EVIL), *more])
    said = capsys.readouterr()
    assert (said.out + said.err).count("\n") == 1 and r"\x1b]0;owned\x07\x1b[2K\x9b31m\x7f\u202e" in said.out + said.err
    assert all(line.isprintable() for line in (said.out + said.err).split("\n"))
