"""Untrusted text can't move a cursor, erase a line or disguise a name, whether in an error, a log or a traceback."""

import logging
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.faults.last_line import errors_reported
from workflow_scripts.core.faults.plain_text import plain, plain_lines, printed
from workflow_scripts.core.faults.sharing import holder_of
from workflow_scripts.core.runtime import stage_log

HOSTILE = "\x1b]0;owned\x07\x1b[2K\r\x9b31m\u202e\u200b\udcff"
SHOWN = r"\x1b]0;owned\x07\x1b[2K\r\x9b31m\u202e\u200b\udcff"


@given(st.text(st.characters(codec=None)))
def test_everything_that_can_be_seen_stays_and_nothing_else(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable() and plain(shown) == shown
    assert shown == text or not text.isprintable()


def test_line_breaks_and_tabs_stay_only_in_texts_of_lines() -> None:
    assert plain(HOSTILE) == SHOWN
    assert plain("Größe 犬 ─ a\tb\n") == r"Größe 犬 ─ a\tb\n"
    assert plain_lines(f"a\tb\n{HOSTILE}\n") == f"a\tb\n{SHOWN}\n"
    assert printed(["a\nerror: b", HOSTILE]) == f"a\\nerror: b\n{SHOWN}\n"


def test_errors_are_plain() -> None:
    error = PipelineError(f"bad member {HOSTILE[0]}", Path(f"a/{HOSTILE[1:3]}\u202e.tar"), "\x9b2J", "mend it")
    assert str(error) == r"bad member \x1b in a/]0\u202e.tar: \x9b2J; mend it"


def test_bugs_end_in_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), errors_reported("pretrain", Path("results/a/pretrain/b")):
        raise KeyError(f"\x1b[2J{HOSTILE}") from ValueError("\x1b[31mred\u202e")
    said = capsys.readouterr().err
    assert said.startswith("Traceback") or "Traceback" in said
    assert all(line.isprintable() for line in said.split("\n"))
    assert r"\x1b[31mred\u202e" in said and said.splitlines()[-1].startswith("error: KeyError in stage pretrain: ")


def test_logs_are_plain_and_hold_no_forged_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    stage_log.log_to_stderr()
    logging.getLogger("any").info("member %s", f"{HOSTILE}\nerror: forged")
    assert capfd.readouterr().err == f"member {SHOWN}\n  error: forged\n"


def test_the_note_in_a_lock_is_plain(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"alice\x1b[2J on node\n")
    assert holder_of(tmp_path / "lock") == r"alice\x1b[2J on node\n"
