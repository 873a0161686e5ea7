"""A segment cut anywhere gives back exactly the urls that were whole, and goes on from there."""

import fcntl
import json
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.journal import Journal, settle
from workflow_scripts.acquisition.store.record import Record, from_line, to_line, url_of
from workflow_scripts.acquisition.store.segment import Segment, is_sealed
from workflow_scripts.core.errors import PipelineError

ASKED = {"attempt": 1, "state": "ok", "read": 5}
DATA = {f"http://a.test/{n}": bytes([n]) * (n * 37 % 100) for n in range(8)}


def filled(stem: Path, urls: list[str]) -> None:
    with Journal(stem) as journal:
        for url in urls:
            state = State.OK if DATA[url] else State.HTTP_4XX
            record = Record(url, state, 200 if DATA[url] else 404, [ASKED], width=3, format="jpg")
            journal.add(record, DATA[url])


def whole(journal: Journal) -> dict[str, bytes | None]:
    return {record.url: journal.data(record) for record, _, _ in journal.records()}


def test_a_journal_reads_back_what_was_written(tmp_path: Path) -> None:
    filled(tmp_path / "s", list(DATA))
    with Journal(tmp_path / "s") as journal:
        assert whole(journal) == DATA
        records = [record for record, _, _ in journal.records()]
        assert [record.url for record in records] == list(DATA)
        assert [journal.record(at, size) for _, at, size in journal.records()] == records
        assert records[0].state is State.HTTP_4XX and records[3].attempts == [ASKED]


def test_a_journal_line_parses_to_its_record_or_to_none() -> None:
    record = Record("http://a.test/ü\n", State.OK, None, [ASKED], round=3, size=4, sha256="ab" * 32)
    line = to_line(record)
    assert from_line(line) == record and line.count(b"\n") == 1
    assert url_of(line) == url_of(line[:60]) == record.url
    assert url_of(line[:12]) is None and url_of(b"{}") is None and url_of(b'{"url":"\xff"') is None
    broken = [line[:-1], b"\n", b"[]\n", b"{}\n", line.replace(b'"ok"', b'"okay"'), b'{"url":"a"}\n']
    assert [from_line(one) for one in broken] == [None] * len(broken)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("size", value) for value in ("12", None, -1, 2**70, 1.0, True, 0)),
        *(("offset", value) for value in ("5", None, -1, 2**63, [])),
        *(("url", value) for value in (None, 5, ["http://a.test/"])),
        *(("sha256", value) for value in (None, "", "ab", "AB" * 32, 5)),
        *(("format", value) for value in (None, "../jpg", "j.pg", 1)),
        *(("http_status", value) for value in ("200", -1, 70_000, 200.5)),
        *(("finished", value) for value in (None, "1", -1, float("nan"), float("inf"), 10**400)),
        *(("round", value) for value in (None, -1, 2**15, "1")),
        *((name, value) for name in ("width", "height") for value in (None, -1, 2**31)),
        *((name, None) for name in ("preparation", "policy", "state")),
        ("state", "timeout"),
        *(("attempts", value) for value in (None, {}, [5], ["state"], [{}], [{"state": "ok"}], [{"read": 5}])),
        *(("attempts", [{**ASKED, "state": value}]) for value in ("okay", None, [], "\ud800")),
        *(
            ("attempts", [{**ASKED, name: value}])
            for name in ("read", "round", "attempt")
            for value in ("1", -1, 2**70)
        ),
        *(("attempts", [{**ASKED, name: value}]) for name in ("started", "seconds") for value in ("1", -1, 1e300)),
        *(("attempts", [{**ASKED, name: "x"}]) for name in ("http_status", "url", "more")),
    ],
)
def test_a_line_with_an_invalid_value_is_damaged(field: str, value: Any) -> None:
    record = Record("http://a.test/1", State.OK, 200, [ASKED], offset=7, size=4, sha256="ab" * 32, format="jpg")
    fields = json.loads(to_line(record))
    assert from_line(json.dumps(fields).encode() + b"\n") == record
    assert from_line(json.dumps({**fields, field: value}).encode() + b"\n") is None


def test_temporary_failures_are_recognised() -> None:
    codes = {403: True, 429: True, 401: True, 404: False, 410: False, 451: False}
    assert {code: Record("u", State.HTTP_4XX, code).may_pass for code in codes} == codes
    assert Record("u", State.TIMEOUT, None).may_pass and not Record("u", State.CORRUPT, 200).may_pass
    assert not Record("u", State.OK, 200, size=5).may_pass


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([".bin", ".jsonl"]), st.floats(0, 1), st.booleans())
def test_truncation_anywhere_preserves_complete_urls(suffix: str, share: float, garbage: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "s"
        filled(stem, list(DATA))
        path = stem.with_suffix(suffix)
        all_of_it = path.read_bytes()
        cut = all_of_it[: int(share * len(all_of_it))] + (b"\x00garbage" if garbage else b"")
        path.write_bytes(cut)
        with Journal(stem) as journal:
            found = whole(journal)
            assert list(found) == list(DATA)[: len(found)]
            # Bytes that are there but wrong (only garbage in place of what was cut can be) are noticed when read.
            assert all(
                data in (DATA[url], None if suffix == ".bin" and garbage else DATA[url]) for url, data in found.items()
            )
            missing = [url for url in DATA if found.get(url) != DATA[url]]
        filled(stem, missing)
        with Journal(stem) as journal:
            assert {r.url: journal.data(r) for r, _, _ in journal.records() if journal.data(r) is not None} == DATA


@pytest.mark.parametrize("suffix", [".jsonl", ".bin"])
def test_a_symbolic_link_instead_of_a_segment_file_is_not_written_to(tmp_path: Path, suffix: str) -> None:
    filled(tmp_path / "s", list(DATA))
    own = (tmp_path / f"s{suffix}").rename(tmp_path / "own")
    before = own.read_bytes() + b"partial line"
    own.write_bytes(before)
    (tmp_path / f"s{suffix}").symlink_to("own")
    with pytest.raises(PipelineError, match=r"not a regular file in .*/s\.\w+: it is a symbolic link"):
        list(settle([tmp_path / "s"]))
    assert own.read_bytes() == before


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    urls = list(DATA)
    filled(tmp_path / "s", urls[:4])
    with (
        Journal(tmp_path / "s") as journal,
        mock.patch("workflow_scripts.acquisition.store.journal.os.pwrite") as pwrite,
    ):
        pwrite.side_effect = OSError(28, "No space left on device")
        with pytest.raises(PipelineError, match=r"storage error of download in .*/s: No space left .*; free space"):
            journal.add(Record(urls[5], State.OK, 200, []), b"12345")
    with Journal(tmp_path / "s") as journal:
        assert list(whole(journal)) == urls[:4]


def test_a_partial_write_to_a_full_disk_is_overwritten(tmp_path: Path) -> None:
    urls = list(DATA)
    with Journal(tmp_path / "s") as journal:
        full = mock.patch("workflow_scripts.acquisition.store.journal._write", side_effect=OSError(28, "No space"))
        with full, pytest.raises(PipelineError):
            journal.add(Record(urls[2], State.OK, 200), b"x" * 900)
        for url in urls:
            journal.add(Record(url, State.OK if DATA[url] else State.EMPTY, 200), DATA[url])
        assert whole(journal) == DATA


@pytest.mark.parametrize("number", [0, 3, 7])
@pytest.mark.parametrize(
    "change", [{"size": "12"}, {"offset": None}, {"offset": 10**12}, {"size": 10**12}, {"size": 1}]
)
def test_an_edited_line_after_a_kill_loses_no_bytes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, number: int, change: dict[str, Any]
) -> None:
    urls = list(DATA)[1:]
    filled(tmp_path / "s", [*urls, urls[0]])
    path = tmp_path / "s.jsonl"
    lines = path.read_bytes().splitlines()
    lines[number] = json.dumps({**json.loads(lines[number]), **change}).encode()
    edited, before = b"\n".join(lines) + b"\n", (tmp_path / "s.bin").read_bytes()
    path.write_bytes(edited)
    lost = number == 7 and change == {"size": 10**12}  # as if the end of the bytes had been lost
    assert list(settle([tmp_path / "s"])) == []
    assert is_sealed(tmp_path / "s") and ("s has damaged lines" in caplog.text) == (not lost)
    if not lost:
        assert (path.read_bytes(), (tmp_path / "s.bin").read_bytes()) == (edited, before)
    segment = Segment(tmp_path / "s")
    found = {r.url for r, _, _ in segment.records() if segment.data(r) == DATA[r.url]}
    segment.close()
    assert set(urls) - found <= {[*urls, urls[0]][number]}


def test_a_segment_has_a_single_writer_and_abandoned_segments_are_settled(tmp_path: Path) -> None:
    for name in ("left", "live"):
        filled(tmp_path / name, list(DATA))
    with Journal(tmp_path / "live"):
        with pytest.raises(BlockingIOError):
            Journal(tmp_path / "live")
        assert list(settle([tmp_path / "left", tmp_path / "live"])) == [tmp_path / "live"]
        refused = mock.patch(
            "workflow_scripts.acquisition.store.journal.os.open", side_effect=PermissionError(13, "no")
        )
        with refused:
            assert list(settle([tmp_path / "live"])) == [tmp_path / "live"], "another user's"
    assert is_sealed(tmp_path / "left") and not is_sealed(tmp_path / "live")


def test_without_file_locks_other_segments_are_left_untouched(tmp_path: Path) -> None:
    filled(tmp_path / "s", list(DATA))
    (tmp_path / "s.jsonl").write_bytes((tmp_path / "s.jsonl").read_bytes() + b"half a li")
    before = (tmp_path / "s.jsonl").read_bytes()
    with mock.patch.object(fcntl, "flock", side_effect=OSError(37, "No locks available")):
        assert list(settle([tmp_path / "s"])) == [tmp_path / "s"]
        assert (tmp_path / "s.jsonl").read_bytes() == before and not is_sealed(tmp_path / "s")
        with Journal(tmp_path / "s") as mine:
            assert whole(mine) == DATA, "a journal of one's own is taken up again"
