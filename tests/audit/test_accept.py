"""Accepting an edit: nothing is recomputed, and every record says so."""

import json
from pathlib import Path

import pytest

from tests.provenance.chain import RUNS, Chain, finished
from workflow_scripts.audit import accept
from workflow_scripts.commands.main import main
from workflow_scripts.core import code_equivalence as accepted
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.files.notes import write_note

EDITED = "e" * 64


@pytest.fixture
def chain(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """A finished study, after whose making the code of pretrain was edited."""
    made = finished(results, tmp_path / "outside")
    before = accepted.code_digest
    edited = {"pretrain": EDITED}
    for module in (accepted, accept):
        monkeypatch.setattr(module, "code_digest", lambda stage, *uses: edited.get(stage) or before(stage, *uses))
    return made


def record(chain: Chain, run: str) -> dict[str, object]:
    content: dict[str, object] = json.loads((chain.study / "pretrain" / f"{run}.run.json").read_bytes())
    return content


def test_current_code_is_accepted_as_the_code_of_the_artifacts(chain: Chain) -> None:
    code = record(chain, RUNS[0])["code"]
    manifests = {path: path.read_bytes() for path in chain.study.glob("*/*.manifest.json")}
    assert accepted.counted_code("pretrain", chain.results) == EDITED
    printed = accept.accept_code(chain.results, "pretrain", "a comment became a log line", "")
    assert "2 artifacts and 0 unfinished ones" in printed[1]
    assert accepted.counted_code("pretrain", chain.results) == code
    assert accepted.counted_code("summary", chain.results) == accepted.code_digest("summary")
    for run in RUNS:
        noted = record(chain, run)
        entry = noted["accepted"]
        assert isinstance(entry, dict)
        assert (entry["code"], entry["counts_as"]) == (EDITED, code)
        assert entry["reason"] == "a comment became a log line"
        assert noted["code"] == code
        assert noted.pop("self") == digest(noted)
    assert manifests == {path: path.read_bytes() for path in chain.study.glob("*/*.manifest.json")}


def test_a_new_artifact_keeps_the_accepted_key_and_records_both_digests(chain: Chain) -> None:
    inputs = {"images": ["image_index/images"], "captions": ["select_captions/revised"]}
    accept.accept_code(chain.results, "pretrain", "why", "")
    key = record(chain, RUNS[0])["key"]
    settings = {"steps": 9, "run": RUNS[0]}
    folder = chain.results / ".cache" / "pretrain"
    entries = sorted(folder.iterdir())
    chain.make(f"pretrain/{RUNS[0]}", ["/last.safetensors", "/run.json"], inputs, settings)
    made = record(chain, RUNS[0])
    assert isinstance(made["accepted"], dict)
    assert made["accepted"]["code"] == EDITED
    assert made["code"] != EDITED
    assert key in {entry.name for entry in entries}


def test_unfinished_work_alone_can_be_accepted(chain: Chain) -> None:
    work = chain.results / ".work" / "shard_plan" / "some-key"
    work.mkdir(parents=True)
    (work / ".recipe.json").write_text(json.dumps({"code": "f" * 64}))
    for path in chain.study.glob("shard_plan/*"):
        path.unlink()
    accept.accept_code(chain.results, "shard_plan", "why", "")
    assert accepted.counted_code("shard_plan", chain.results) == "f" * 64


def test_accepting_one_of_several_code_digests_needs_its_prefix(chain: Chain) -> None:
    work = chain.results / ".work" / "pretrain" / "some-key"
    work.mkdir(parents=True)
    (work / ".recipe.json").write_text(json.dumps({"code": "f" * 64}))
    with pytest.raises(PipelineError, match=r"no single code to count as in pretrain: .*ffffffffffff"):
        accept.accept_code(chain.results, "pretrain", "why", "")
    with pytest.raises(PipelineError, match="no single code to count as"):
        accept.accept_code(chain.results, "pretrain", "why", "12345")
    accept.accept_code(chain.results, "pretrain", "why", "ffff")
    assert accepted.counted_code("pretrain", chain.results) == "f" * 64


@pytest.mark.parametrize(
    ("stage", "reason", "message"),
    [
        ("summary", "why", "error: nothing to accept in summary: 1 artifacts, all made by the current code"),
        ("no_such", "why", "error: unknown stage in accept: no_such"),
        ("download", "why", "error: nothing to accept in download: format-"),
        ("pretrain", "  ", "error: empty reason"),
    ],
)
def test_accept_errors_are_a_single_line_and_change_nothing(
    chain: Chain, capsys: pytest.CaptureFixture[str], stage: str, reason: str, message: str
) -> None:
    assert main(["accept", stage, "--reason", reason, "--results", str(chain.results)]) == 1
    assert capsys.readouterr().err.startswith(message)
    assert not (chain.results / ".accepted.json").exists()


def test_a_results_folder_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["accept", "summary", "--reason", "why", "--results", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith(f"error: no results folder in {tmp_path / 'none'}")


def test_an_edited_run_record_is_not_resealed(chain: Chain) -> None:
    path = chain.study / "pretrain" / f"{RUNS[0]}.run.json"
    path.write_text(path.read_text().replace('"steps": 9', '"steps": 8'))
    with pytest.raises(PipelineError, match="edited run record"):
        accept.accept_code(chain.results, "pretrain", "why", "")
    assert not (chain.results / ".accepted.json").exists()


def test_a_damaged_list_is_named(chain: Chain) -> None:
    write_note(chain.results / ".accepted.json", {"accepted": [{"stage": "pretrain"}]})
    with pytest.raises(PipelineError, match="damaged list of acceptances"):
        accepted.accepted(chain.results)
    write_note(chain.results / ".accepted.json", {"accepted": [{**dict.fromkeys(accepted.FIELDS, "x"), "when": 5}]})
    with pytest.raises(PipelineError, match="all of them text"):
        accepted.accepted(chain.results)
    (chain.results / ".accepted.json").write_text("[]")
    with pytest.raises(PipelineError, match="damaged note"):
        accepted.accepted(chain.results)


def test_all_stands_for_the_stages_with_artifacts_of_other_code(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = sorted({path.parent.name for path in chain.study.glob("*/*.manifest.json")})
    current = {path.parent.name: json.loads(path.read_bytes())["code"] for path in chain.study.glob("*/*.run.json")}
    for module in (accepted, accept):
        monkeypatch.setattr(module, "code_digest", lambda stage, *_: {**current, "pretrain": EDITED}[stage])
    assert accept.edited_stages(chain.results, stages) == ["pretrain"]
    accept.accept_code(chain.results, "pretrain", "a comment became a log line", "")
    assert accept.edited_stages(chain.results, stages) == []


def two_codes(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> str:
    """Add a third training, made by code ``f...``; returns the digest of the code of the first two."""
    first, edited = str(record(chain, RUNS[0])["code"]), accepted.code_digest
    other = {"pretrain": "f" * 64}
    with monkeypatch.context() as patch:
        patch.setattr(accepted, "code_digest", lambda stage, *uses: other.get(stage) or edited(stage, *uses))
        inputs = {"images": ["image_index/images"], "captions": ["select_captions/revised"]}
        chain.make("pretrain/simclr-mixed-crop-s0", ["/last.safetensors"], inputs, {"steps": 9, "run": "mixed"})
    return first


def run(chain: Chain, *words: str) -> int:
    return main(["accept", *words, "--reason", "why", "--results", str(chain.results)])


def test_accept_all_keeps_a_deliberate_choice_of_code(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(chain, "pretrain", "--code", two_codes(chain, monkeypatch)[:12]) == 0
    before = accepted.accepted(chain.results)
    for words, said in (("all", "nothing to accept"), ("pretrain", "no single code to count as in pretrain")):
        capsys.readouterr()
        assert run(chain, words) == 1
        assert capsys.readouterr().err.startswith(f"error: {said}")
        assert accepted.accepted(chain.results) == before
    assert run(chain, "pretrain", "--code", "ffff") == 0
    assert accepted.counted_code("pretrain", chain.results) == "f" * 64


def test_a_stage_that_fails_does_not_stop_the_others(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two_codes(chain, monkeypatch)
    made, edited = str(record_of(chain, "summary")["code"]), {"summary": "d" * 64}
    before = accepted.code_digest
    for module in (accepted, accept):
        monkeypatch.setattr(module, "code_digest", lambda stage, *uses: edited.get(stage) or before(stage, *uses))
    assert run(chain, "pretrain", "summary") == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: no single code to count as in pretrain") and printed.err.count("\n") == 1
    assert printed.out.startswith("summary: code dddddddddddd now counts as ")
    assert accepted.counted_code("summary", chain.results) == made


def record_of(chain: Chain, stage: str) -> dict[str, object]:
    (path,) = chain.study.glob(f"{stage}/*.run.json")
    content: dict[str, object] = json.loads(path.read_bytes())
    return content


def test_nothing_is_accepted_if_a_stage_is_unknown(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(chain, "pretrain", "pretrian", "no_such") == 1
    printed = capsys.readouterr()
    assert printed.out == "" and [line.split(";")[0] for line in printed.err.splitlines()] == [
        "error: unknown stage in accept: pretrian",
        "error: unknown stage in accept: no_such",
    ]
    assert not (chain.results / ".accepted.json").exists()


@pytest.mark.parametrize("words", [("pretrain", "summary", "--code", "ab"), ("all", "--code", "ab"), ("all", "source")])
def test_a_code_digest_can_be_given_for_a_single_stage_only(
    chain: Chain, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(chain, *words) == 2
    assert capsys.readouterr().err.startswith("error: wrong usage in faithful-pairs accept: ")
    assert not (chain.results / ".accepted.json").exists()
