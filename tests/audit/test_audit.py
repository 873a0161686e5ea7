"""What an audit finds, what it calls it, and what it leaves alone."""

import json
import os
import time
from pathlib import Path

import pytest

from tests.audit.audited import audited, kinds
from tests.provenance.chain import RUNS, Chain
from workflow_scripts.audit.kinds import Kind
from workflow_scripts.commands.main import main
from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.digest import Uses, code_digest


def test_an_untouched_study_passes_the_audit(chain: Chain) -> None:
    done = audited(chain.study)
    assert done.faults == []
    assert (done.artifacts, done.files) == (22, 37)
    assert kinds(done.findings) == {"not-compared"}


def test_a_recomputed_input_is_reported_at_its_consumers(chain: Chain) -> None:
    chain.make("select_captions/revised", [".parquet"], {"captions": ["caption_table/captions"]}, {"margin": 2})
    done = audited(chain.study)
    assert {found.path.name.removesuffix(MANIFEST) for found in done.stale} == {*RUNS, "index"}
    assert [(fault.kind, fault.path.name) for fault in done.faults] == [(Kind.UNNAMED, "revised.json")]


def test_a_quick_audit_compares_sizes_only(chain: Chain) -> None:
    path = chain.study / "summary" / "summary.csv"
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert audited(chain.study, quick=True).faults == []
    path.write_bytes(data[:-1])
    faults = audited(chain.study, quick=True).faults
    assert [(fault.path, fault.kind) for fault in faults] == [(path, Kind.CHANGED_FILE)]


def test_a_damaged_file_hard_linked_into_the_cache_is_reported_as_such(chain: Chain) -> None:
    path = chain.study / "summary" / "summary.csv"
    path.chmod(0o644)
    path.write_bytes(b"edited in place")
    assert "the cache holds this very file" in audited(chain.study).faults[0].detail
    path.unlink()
    path.write_bytes(b"replaced")
    assert "cache" not in audited(chain.study).faults[0].detail


def test_other_code_makes_artifacts_stale_until_it_is_accepted(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    from workflow_scripts.core import code_equivalence as accepted

    before = accepted.code_digest("summary")
    monkeypatch.setattr(accepted, "code_digest", other_summary)
    done = audited(chain.study)
    assert [one.path.name for one in done.stale] == ["summary.manifest.json"] and done.faults == []
    entry = {"stage": "summary", "code": "other", "counts_as": before, "reason": "a log line", "when": "2026-01-01"}
    accepted.accept(chain.results, entry)
    assert audited(chain.study).stale == []


def other_summary(stage: str, uses: Uses = ()) -> str:
    return "other" if stage == "summary" else code_digest(stage, uses)


def test_changed_settings_are_reported_if_the_config_is_known(chain: Chain) -> None:
    from tests.study.config.configs import planned

    units = planned("tests/config/tiny.yaml")
    shards = {"shards": 2, "rows_per_shard": 70, "group": "all"}
    chain.make("shard_plan/plan", [".parquet"], {}, shards)
    done = audited(chain.study, chain.study / "shard_plan", units=units)
    assert [found.detail for found in done.stale] == ["rows_per_shard 70 then, 80 today"] and done.faults == []


def test_changed_settings_outside_the_key_make_nothing_stale(chain: Chain) -> None:
    from tests.study.config.configs import planned

    units = planned("tests/config/tiny.yaml")
    settings = units.settings("download", {"shard": "00000"})
    named = {"plan": ["shard_plan/plan"]}
    made = chain.make("download/00000", [".tar", ".parquet"], named, {**settings, "attempts": 77})
    of_shard = [one for one in audited(chain.study, chain.study / "download", units=units).stale if one.path == made]
    assert of_shard == []
    chain.make("download/00000", [".tar", ".parquet"], named, {**settings, "jpeg_quality": 3})
    of_shard = [one for one in audited(chain.study, chain.study / "download", units=units).stale if one.path == made]
    assert [one.detail for one in of_shard] == ["jpeg_quality 3 then, 90 today"]


def test_an_acceptance_is_reported_while_it_is_in_force(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    from workflow_scripts.audit import accept
    from workflow_scripts.core import code_equivalence as accepted

    for module in (accepted, accept):
        monkeypatch.setattr(module, "code_digest", other_summary)
    accept.accept_code(chain.results, "summary", "a log line", "")
    done = audited(chain.study)
    assert done.faults == []
    assert [one.path.name for one in done.findings if one.kind is Kind.ACCEPTED] == ["summary.manifest.json"]
    monkeypatch.undo()
    assert Kind.ACCEPTED not in kinds(audited(chain.study).findings)


def test_an_edited_source_is_found_though_size_and_time_are_as_before(chain: Chain, tmp_path: Path) -> None:
    for path in (tmp_path / "outside" / "redcaps.zip", tmp_path / "outside" / "model" / "weights.bin"):
        data, status = path.read_bytes(), path.stat()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert [(fault.kind, fault.path) for fault in audited(chain.study).faults] == [(Kind.CHANGED_SOURCE, path)]
        path.write_bytes(data)


def test_a_source_that_is_not_here_is_a_note(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "outside" / "redcaps.zip").unlink()
    done = audited(chain.study)
    assert done.faults == []
    assert Kind.NOT_COMPARED in kinds(done.findings)
    (tmp_path / "outside" / "model" / "more.bin").write_bytes(b"new")
    assert [fault.kind for fault in audited(chain.study).faults] == [Kind.CHANGED_SOURCE]


def test_a_source_that_cannot_be_listed_ends_no_audit(chain: Chain, tmp_path: Path) -> None:
    zipped, model = tmp_path / "outside" / "redcaps.zip", tmp_path / "outside" / "model"
    zipped.unlink()
    os.mkfifo(zipped)
    (model / "again").symlink_to(".")
    assert {fault.path for fault in audited(chain.study).faults} == {zipped, model}


def test_files_of_a_missing_or_broken_manifest_are_checked_against_the_cache(chain: Chain) -> None:
    manifest = chain.study / "summary" / "summary.manifest.json"
    data = manifest.with_name("summary.csv")
    data.chmod(0o644)
    data.write_bytes(b"edited")
    for damage in (lambda: manifest.write_bytes(b"{"), manifest.unlink):
        damage()
        assert {fault.path for fault in audited(chain.study).faults} == {manifest, data}


def test_the_command_reports_its_findings_and_exit_status(
    chain: Chain, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["audit", str(chain.results)]) == 0
    printed = capsys.readouterr().out
    assert "22 artifacts, 37 files" in printed
    assert printed.splitlines()[-1].startswith("everything is intact (contents checked in ")
    chain.make("shard_plan/plan", [".parquet"], {}, {"shards": 3})
    assert main(["audit", "--quick", str(chain.study)]) == 0
    printed = capsys.readouterr().out
    assert "  stale (5): made from other inputs" in printed
    assert "everything is intact; 5 artifacts are stale (sizes" in printed
    (chain.study / "summary" / "summary.csv").unlink()
    assert main(["audit", "--json", str(chain.study)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["holds"] is False
    assert [one["kind"] for one in told["studies"][0]["faults"]] == ["missing"]
    assert told["studies"][0]["faults"][0]["advice"].startswith("recompute it: snakemake --force ")
    assert main(["audit", str(tmp_path / "outside")]) == 2
    assert capsys.readouterr().err.startswith("error: no study in ")
    (chain.study / "logs").mkdir()
    assert main(["audit", str(chain.study / "logs")]) == 2
    assert capsys.readouterr().err.startswith("error: no artifacts in ")


def test_a_clock_that_was_set_back_is_one_finding(chain: Chain) -> None:
    for number, path in enumerate(sorted(chain.study.rglob("*.manifest.json"))):
        os.utime(path, (later := time.time() + 3600 * (2 + number), later))
    (fault,) = audited(chain.study).faults
    assert (fault.kind, fault.path) == (Kind.IMPOSSIBLE_TIME, chain.study)
    assert fault.detail.startswith("22 files and records; the first: ")
    assert "its modification time is in the future" in fault.detail
