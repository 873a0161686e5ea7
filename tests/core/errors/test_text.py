"""Untrusted text can't move a cursor, erase a line or disguise a name, and URLs lose what may be secret, and no more.

That holds in errors, logs and tracebacks.
"""

import logging
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import LONGEST_OPEN, has_secret, plain, plain_lines, printed, redacted
from workflow_scripts.core.files.sharing import holder_of
from workflow_scripts.core.runtime import job_log
from workflow_scripts.core.runtime.failures import errors_reported

HOSTILE = "\x1b]0;owned\x07\x1b[2K\r\x9b31m\u202e\u200b\udcff"
SHOWN = r"\x1b]0;owned\x07\x1b[2K\r\x9b31m\u202e\u200b\udcff"


@given(st.text(st.characters(codec=None)))
def test_printable_text_is_kept_and_everything_else_escaped(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable() and plain(shown) == shown
    assert shown == text or not text.isprintable()


def test_line_breaks_and_tabs_are_kept_only_in_multi_line_text() -> None:
    assert plain(HOSTILE) == SHOWN
    assert plain("Größe 犬 ─ a\tb\n") == r"Größe 犬 ─ a\tb\n"
    assert plain_lines(f"a\tb\n{HOSTILE}\n") == f"a\tb\n{SHOWN}\n"
    assert printed(["a\nerror: b", HOSTILE]) == f"a\\nerror: b\n{SHOWN}\n"


def test_errors_escape_control_characters() -> None:
    error = PipelineError(f"bad member {HOSTILE[0]}", Path(f"a/{HOSTILE[1:3]}\u202e.tar"), "\x9b2J", "mend it")
    assert str(error) == r"bad member \x1b in a/]0\u202e.tar: \x9b2J; mend it"


def test_tracebacks_of_bugs_escape_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), errors_reported("pretrain", Path("results/a/pretrain/b")):
        raise KeyError(f"\x1b[2J{HOSTILE}") from ValueError("\x1b[31mred\u202e")
    said = capsys.readouterr().err
    assert said.startswith("Traceback") or "Traceback" in said
    assert all(line.isprintable() for line in said.split("\n"))
    assert r"\x1b[31mred\u202e" in said and said.splitlines()[-1].startswith("error: KeyError in stage pretrain: ")


def _own_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that the test may set up."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)


def test_logs_are_plain_and_hold_no_forged_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _own_log(monkeypatch)
    job_log.log_to_stderr()
    logging.getLogger("any").info("member %s", f"{HOSTILE}\nerror: forged")
    assert capfd.readouterr().err == f"member {SHOWN}\n  error: forged\n"


def test_the_holder_read_from_a_lock_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"alice\x1b[2J on node\n")
    assert holder_of(tmp_path / "lock") == r"alice\x1b[2J on node\n"


URLS = {
    "no url: a/b?c": "no url: a/b?c",
    "https://h.test/a.jpg": "https://h.test/a.jpg",
    "see https://h.test:8080/a.jpg, then go": "see https://h.test:8080/a.jpg, then go",
    "https://h.test/a.jpg?sig=SECRET": "https://h.test/a.jpg?...",
    "('https://h.test/a?X-Amz-Signature=SECRET&b=1'): no": "('https://h.test/a?...'): no",
    "https://me:SECRET@h.test/a": "https://h.test/a",
    "https://SECRET@h.test": "https://h.test",
    "https://me:SEC@RET@[::1]:80/a": "https://[::1]:80/a",
    "HTTPS://h.test#access_token=SECRET": "HTTPS://h.test#...",
    "https://me:SEC/RET@h.test/a?b": "https://.../...",
    "a https:/h.test/a?SECRET b": "a https:/h.test/a?... b",
    "ftp://me:SECRET@h.test/a http://g.test/?SECRET": "ftp://h.test/a http://g.test/?...",
    "https://h.test: refused; https://[::1]; next": "https://h.test: refused; https://[::1]; next",
    "https://h.test/@user/a": "https://h.test/@user/a",
}


@pytest.mark.parametrize(("text", "shown"), URLS.items())
def test_what_is_shown_of_urls(text: str, shown: str) -> None:
    shown = shown.replace("https://.../...", "https://...?...")
    assert redacted(text) == shown
    assert redacted(shown) == shown


@given(st.text(max_size=60))
def test_urls_redacted_twice_are_as_once(text: str) -> None:
    for line in (text, f"https://{text}", f"x https://h/{text}"):
        assert redacted(redacted(line)) == redacted(line)


@given(st.text(min_size=1, max_size=10), st.text(min_size=1, max_size=10))
def test_logins_and_queries_are_redacted_from_urls(login: str, query: str) -> None:
    secrets = ["SECRET" + quote(login, safe=""), "SECRET" + quote(query, safe="/?&=:@")]
    shown = redacted(f"failed: https://{secrets[0]}:{secrets[0]}@h.test/a?b={secrets[1]} (again)")
    assert shown.startswith("failed: https://h.test/a?...") and "SECRET" not in shown


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("https://h.test/a?dl=1&w=400", False),
        (f"https://h.test/a?{'n' * 2 * LONGEST_OPEN}=1", False),  # a long name
        (f"https://h.test/a?w={'v' * LONGEST_OPEN}", False),
        (f"https://h.test/a?w={'v' * (LONGEST_OPEN + 1)}", True),
        (f"https://h.test/a?{'v' * (LONGEST_OPEN + 1)}", True),
        (f"https://h.test/a#{'v' * (LONGEST_OPEN + 1)}", True),
        ("https://h.test/a?dl=1&sig=x", True),
        ("https://h.test/a?sig=", False),
        ("https://me:x@h.test/a", True),
        ("https://:@h.test/a", False),
        ("https://${NAME}:${WORD}@h.test/a?sig=${SIGNATURE}", False),
    ],
)
def test_a_secret_in_a_url_is_noticed(url: str, secret: bool) -> None:
    assert has_secret(url) == secret


def test_errors_are_redacted() -> None:
    error = PipelineError("no answer", "https://me:SECRET@h.test/a", "got https://h.test/?SECRET", "try again")
    assert str(error) == "no answer in https://h.test/a: got https://h.test/?...; try again"


def test_the_log_of_a_stage_is_redacted(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _own_log(monkeypatch)
    job_log.start_log("results/study/stage/name")
    logging.captureWarnings(False)
    try:
        raise ValueError("https://h.test/?SECRET")
    except ValueError:
        logging.getLogger("any").exception("asked for %s", "https://me:SECRET@h.test/b")
    assert "asked for https://h.test/b" in (said := capfd.readouterr().err) and "SECRET" not in said
