"""Audits in parts: every artifact is read in exactly one part."""

from pathlib import Path

import pytest

from tests.provenance.chain import Chain
from workflow_scripts.audit.audit import Part, audit
from workflow_scripts.audit.kinds import Kind
from workflow_scripts.commands.main import main
from workflow_scripts.provenance.nodes import load


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def test_every_artifact_is_in_exactly_one_part(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = load(chain.study)
    assert all(sum(Part(number, 3).holds(node) for number in (1, 2, 3)) == 1 for node in nodes)
    read = [audit([chain.study], [], False, 1, Part(number, 3))[0].read for number in (1, 2, 3)]
    assert all(read) and sum(read) == audit([chain.study], [], False, 1)[0].read == len(nodes) == 22
    main(["audit", str(chain.study), "--part", "2/3"])
    assert f"contents of {read[1]} artifacts read" in capsys.readouterr().out


def test_a_changed_byte_is_found_in_one_part_and_another_size_in_all(chain: Chain) -> None:
    path = chain.study / "summary" / "summary.csv"
    flip(path)
    studies = [audit([chain.study], [], False, 1, Part(number, 4))[0] for number in (1, 2, 3, 4)]
    found = [[fault.path for fault in study.faults] for study in studies]
    assert sorted(found) == [[], [], [], [path]]
    path.write_bytes(b"short")
    for number in (1, 2, 3, 4):
        (study,) = audit([chain.study], [], False, 1, Part(number, 4))
        assert [(fault.path, fault.kind) for fault in study.faults] == [(path, Kind.CHANGED_FILE)]


def test_the_cache_is_read_with_the_first_part(chain: Chain) -> None:
    unused = chain.results / ".cache" / "summary" / ("0" * 64)
    unused.mkdir()
    (unused / "manifest.json").write_text("{")
    first, second = (audit([chain.results], [], False, 1, Part(number, 2))[-1] for number in (1, 2))
    assert [fault.kind for fault in first.faults] == [Kind.DAMAGED_STORE] and second.faults == []
    assert [note.kind for note in second.findings] == [Kind.NOT_COMPARED]


@pytest.mark.parametrize("words", ["--part 0/5", "--part 6/5", "--part 3", "--part 1/2 --quick"])
def test_wrong_parts_are_refused(words: str, chain: Chain) -> None:
    assert main(["audit", str(chain.study), *words.split()]) == 2
