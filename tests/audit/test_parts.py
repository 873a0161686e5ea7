"""Audits in parts: every artifact is read in some part, and those longest ago first."""

import errno
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.provenance.chain import Chain
from workflow_scripts.audit import parts
from workflow_scripts.audit.audit import audit
from workflow_scripts.audit.kinds import Kind
from workflow_scripts.audit.parts import Part
from workflow_scripts.commands.main import main
from workflow_scripts.provenance.nodes import load


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each audit is a second later than the one before."""
    seconds = count()
    monkeypatch.setattr(parts, "now", lambda: f"2026-03-01T08:00:{next(seconds):02d}Z")


def read_in(chain: Chain, part: Part | None) -> set[str]:
    """``<stage>/<name>`` of what an audit reads."""
    before = parts.last_read(chain.study, load(chain.study))
    audit([chain.study], [], quick=False, jobs=1, part=part)
    after = parts.last_read(chain.study, load(chain.study))
    return {f"{path.parent.name}/{path.name}" for path, when in after.items() if before.get(path) != when}


def test_every_artifact_is_in_exactly_one_part(chain: Chain, clock: None) -> None:
    found = [read_in(chain, Part(number=number, of=3)) for number in (1, 2, 3)]
    assert sum(map(len, found)) == len(set.union(*found)) == len(load(chain.study)) == 22
    assert all(found) and read_in(chain, Part(number=2, of=3)) == found[1]
    assert read_in(chain, None) == set.union(*found)


def test_a_changed_byte_is_found_in_one_part_and_another_size_in_all(chain: Chain, clock: None) -> None:
    path = chain.study / "summary" / "summary.csv"
    flip(path)
    studies = [audit([chain.study], [], False, 1, Part(number=number, of=4))[0] for number in (1, 2, 3, 4)]
    found = [[fault.path for fault in study.faults] for study in studies]
    assert sorted(found) == [[], [], [], [path]]
    assert "summary/summary" not in {node.label for node in load(chain.study) if node.path in times(chain)}
    path.write_bytes(b"short")
    for number in (1, 2, 3, 4):
        (study,) = audit([chain.study], [], False, 1, Part(number=number, of=4))
        assert [(fault.path, fault.kind) for fault in study.faults] == [(path, Kind.CHANGED_FILE)]


def times(chain: Chain) -> dict[Path, str]:
    return parts.last_read(chain.study, load(chain.study))


@pytest.mark.parametrize("part", [Part(limit=20_000), Part(share=0.3), Part(limit=1)])
def test_what_was_read_longest_ago_comes_first_until_all_was_read(part: Part, chain: Chain, clock: None) -> None:
    everything, seen = {f"{node.stage}/{node.path.name}" for node in load(chain.study)}, set[str]()
    while seen != everything:
        found = read_in(chain, part)
        assert found - seen and (not found & seen or everything <= found | seen)
        size = sum(one["bytes"] for node in load(chain.study) for one in node.files.values() if inside(node, found))
        limit = part.limit or (part.share or 0) * sum(
            one["bytes"] for node in load(chain.study) for one in node.files.values()
        )
        assert size <= limit or len(found) == 1
        seen |= found


def inside(node: Any, found: set[str]) -> bool:
    return f"{node.stage}/{node.path.name}" in found


def test_what_was_recomputed_counts_as_never_read(chain: Chain, clock: None) -> None:
    audit([chain.study], [], quick=False, jobs=1)
    (done,) = audit([chain.study], [], False, 1, Part(limit=1))
    assert done.ages is not None and done.ages["never_read"] == 0 and done.read == 1
    made = chain.make("select_captions/revised", [".parquet"], {"captions": ["caption_table/captions"]}, {"margin": 2})
    assert made not in times(chain)
    assert f"select_captions/{made.name}" in read_in(chain, Part(limit=1))


def test_the_answer_names_what_was_read_longest_ago(
    chain: Chain, clock: None, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["audit", str(chain.study), "--max-bytes", "1"])
    assert "contents of 1 artifacts read; longest ago: " in (text := capsys.readouterr().out)
    assert "2026-03-01 08:00:00 UTC; never without a fault: 21" in text
    main(["audit", str(chain.results), "--part", "2/2", "--json"])
    studies = json.loads(capsys.readouterr().out)["studies"]
    assert studies[0]["ages"]["read_longest_ago"]["when"] == "2026-03-01T08:00:00Z"
    assert [note["kind"] for note in studies[1]["notes"]] == ["not-compared"]


def test_the_cache_is_read_with_the_first_part(chain: Chain) -> None:
    unused = chain.results / ".cache" / "summary" / ("0" * 64)
    unused.mkdir()
    (unused / "manifest.json").write_text("{")
    first, second = (audit([chain.results], [], False, 1, Part(number=number, of=2))[-1] for number in (1, 2))
    assert [fault.kind for fault in first.faults] == [Kind.DAMAGED_STORE] and second.faults == []


def test_a_damaged_note_and_a_folder_that_is_not_writable_end_no_audit(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    note = chain.results / ".audited" / "study.json"
    note.parent.mkdir()
    note.write_text("[" * 1000)
    assert read_in(chain, Part(number=1, of=1))

    def refuses(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(parts, "write_note", refuses)
    assert read_in(chain, None) == set()
    assert "not noted what was audited" in caplog.text


@pytest.mark.parametrize(
    "words",
    [
        "--part 0/5",
        "--part 6/5",
        "--part 3",
        "--sample 10",
        "--sample 0%",
        "--sample 101%",
        "--max-bytes many",
        "--part 1/2 --sample 5%",
        "--part 1/2 --quick",
    ],
)
def test_wrong_parts_are_refused(words: str, chain: Chain) -> None:
    assert main(["audit", str(chain.study), *words.split()]) == 2
