"""What an audit finds, what it calls it, and what it leaves alone."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.provenance.chain import RUNS, Chain, finished
from tests.provenance.outsider.unrecorded import invented_artifact
from tests.provenance.tampering import Tampering
from workflow_scripts.audit.audit import Audit, Audited
from workflow_scripts.audit.kinds import Finding, Kind
from workflow_scripts.audit.notes import noted
from workflow_scripts.audit.studies import audit
from workflow_scripts.commands.main import main
from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.seal import sealed
from workflow_scripts.study import active_config as today
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

TAMPERINGS = 200


@pytest.fixture
def chain(results: Path, tmp_path: Path) -> Chain:
    """A finished study of this test's own."""
    return finished(results, tmp_path / "outside")


def audited(study: Path, scope: Path | None = None, quick: bool = False, units: Units | None = None) -> Audited:
    known = noted(study)
    return Audit(study, scope or study, replace(known, units=units) if units else known, quick, jobs=2).run()


def kinds(findings: Iterable[Finding]) -> set[str]:
    return {one.label for one in findings}


def test_an_untouched_study_holds(chain: Chain) -> None:
    done = audited(chain.study)
    assert done.faults == []
    assert (done.artifacts, done.files) == (22, 37)
    assert kinds(done.findings) == {"settings-not-compared"}


def test_each_of_200_tamperings_is_found_and_named(chain: Chain, tmp_path: Path) -> None:
    tampering = Tampering(chain.study, tmp_path / "outside", seed=4)
    ways = tampering.ways()
    for number in range(TAMPERINGS):
        way = ways[number % len(ways)]
        expected = way()
        faults = audited(chain.study).faults
        for path, names in expected.items():
            assert names & kinds(one for one in faults if one.path == path), (number, way.__name__, path, faults)
        more = {one.path for one in faults} - set(expected)
        assert not more, (number, way.__name__, more)
        tampering.undo()
    assert audited(chain.study).faults == []


def test_copying_touching_and_moving_are_no_faults(chain: Chain, tmp_path: Path) -> None:
    root = audited(chain.study).root
    copy = tmp_path / "elsewhere" / "results"
    copy.parent.mkdir()
    subprocess.run(["cp", "-r", str(chain.results), str(copy)], check=True)
    for path in copy.rglob("*"):
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    moved = tmp_path / "moved"
    shutil.move(chain.results, moved)
    for study in (copy / "study", moved / "study"):
        done = audited(study)
        assert (done.faults, done.root) == ([], root)


def test_an_input_that_was_made_again_is_named_at_its_consumers(chain: Chain) -> None:
    chain.make("select_captions/revised", [".parquet"], {"captions": ["caption_table/captions"]}, {"margin": 2})
    faults = audited(chain.study).faults
    assert kinds(faults) == {"changed-input", "unnamed-file"}
    changed = {one.path.name.removesuffix(MANIFEST) for one in faults if one.kind is Kind.CHANGED_INPUT}
    assert changed == {*RUNS, "index"}
    assert [one.path.name for one in faults if one.kind is Kind.UNNAMED_FILE] == ["revised.json"]


def test_quick_finds_sizes_and_no_more(chain: Chain) -> None:
    path = chain.study / "summary" / "summary.csv"
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert audited(chain.study, quick=True).faults == []
    path.write_bytes(data[:-1])
    faults = audited(chain.study, quick=True).faults
    assert [(one.path, one.kind) for one in faults] == [(path, Kind.WRONG_SIZE)]


def test_a_hard_link_into_the_cache_is_told(chain: Chain) -> None:
    path = chain.study / "summary" / "summary.csv"
    path.chmod(0o644)
    path.write_bytes(b"edited in place")
    assert "the cache holds this very file" in audited(chain.study).faults[0].detail
    path.unlink()
    path.write_bytes(b"replaced")
    assert "cache" not in audited(chain.study).faults[0].detail


def test_other_code_and_accepted_code(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    from workflow_scripts.core import code_equivalence as accepted

    before = accepted.code_digest("summary")
    monkeypatch.setattr(accepted, "code_digest", lambda stage: "other" if stage == "summary" else before_of(stage))
    faults = audited(chain.study).faults
    assert [(one.path.name, one.kind) for one in faults] == [("summary.manifest.json", Kind.OTHER_CODE)]
    entry = {"stage": "summary", "code": "other", "counts_as": before, "reason": "a log line", "when": "2026-01-01"}
    accepted.accept(chain.results, entry)
    assert audited(chain.study).faults == []


def before_of(stage: str) -> str:
    from workflow_scripts.core.digest import code_digest

    return code_digest(stage)


def test_other_settings_are_named_where_a_config_is_known(chain: Chain) -> None:
    from tests.study.config.test_study import merged

    units = Units(load_study(merged("tests/config/tiny.yaml")))
    chain.make("data_card/data_card", [".json"], {"plan": ["shard_plan/plan"]}, {"confidence": 0.5, "hosts_shown": 12})
    faults = audited(chain.study, chain.study / "data_card", units=units).faults
    assert [one.kind for one in faults] == [Kind.OTHER_SETTINGS]
    assert faults[0].detail == "confidence 0.5 then, 0.95 today"


def test_settings_outside_the_key_are_no_fault(chain: Chain) -> None:
    from tests.study.config.test_study import merged

    units = Units(load_study(merged("tests/config/tiny.yaml")))
    settings = units.settings("download", {"shard": "00000"})
    named = {"plan": ["shard_plan/plan"]}
    made = chain.make("download/00000", [".tar", ".parquet"], named, {**settings, "attempts": 77})
    of_shard = [one for one in audited(chain.study, chain.study / "download", units=units).faults if one.path == made]
    assert of_shard == []
    chain.make("download/00000", [".tar", ".parquet"], named, {**settings, "jpeg_quality": 3})
    of_shard = [one for one in audited(chain.study, chain.study / "download", units=units).faults if one.path == made]
    assert [(one.kind, one.detail) for one in of_shard] == [(Kind.OTHER_SETTINGS, "jpeg_quality 3 then, 90 today")]


def test_an_acceptance_is_told_while_it_is_in_force(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    from workflow_scripts.audit import accept
    from workflow_scripts.core import code_equivalence as accepted

    for module in (accepted, accept):
        monkeypatch.setattr(module, "code_digest", lambda stage: "other" if stage == "summary" else before_of(stage))
    accept.accept_code(chain.results, "summary", "a log line", "")
    done = audited(chain.study)
    assert done.faults == []
    assert [one.path.name for one in done.findings if one.kind is Kind.ACCEPTED] == ["summary.manifest.json"]
    monkeypatch.undo()
    assert Kind.ACCEPTED.label not in kinds(audited(chain.study).findings)


def test_a_crate_holds_no_artifacts_and_is_checked_as_a_crate(chain: Chain) -> None:
    copies = chain.study / "crate" / "manifests" / "summary"
    copies.mkdir(parents=True)
    shutil.copy(chain.study / "summary" / "summary.manifest.json", copies)
    done = audited(chain.study)
    assert ([one.kind for one in done.faults], done.artifacts) == ([Kind.BROKEN_CRATE], 22)


def test_a_source_that_is_not_here_is_a_note(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "outside" / "redcaps.zip").unlink()
    done = audited(chain.study)
    assert done.faults == []
    assert Kind.NOT_HERE.label in kinds(done.findings)
    (tmp_path / "outside" / "model" / "more.bin").write_bytes(b"new")
    assert [one.kind for one in audited(chain.study).faults] == [Kind.CHANGED_SOURCE]


def test_a_part_of_a_study_is_checked_alone(chain: Chain) -> None:
    damaged = chain.study / "recaption" / "00001.parquet"
    damaged.unlink()
    for scope, count in ((chain.study / "recaption", 4), (damaged.with_name("00001.manifest.json"), 1)):
        done = audited(chain.study, scope)
        assert (done.artifacts, [one.path for one in done.faults]) == (count, [damaged])
    assert audited(chain.study, chain.study / "download").faults == []
    assert audited(chain.study, chain.study / "recaption" / "00002.parquet").artifacts == 1


def test_the_folder_of_an_artifacts_files_is_its_artifact(chain: Chain) -> None:
    folder = chain.study / "pretrain" / RUNS[0]
    damaged = next(path for path in folder.iterdir() if path.is_file())
    damaged.unlink()
    done = audited(chain.study, folder)
    assert (done.artifacts, [one.path for one in done.faults]) == (1, [damaged])


def test_what_a_missing_or_broken_manifest_names_is_checked_by_the_cache(chain: Chain) -> None:
    manifest = chain.study / "summary" / "summary.manifest.json"
    data = manifest.with_name("summary.csv")
    data.chmod(0o644)
    data.write_bytes(b"edited")
    for damage in (lambda: manifest.write_bytes(b"{"), manifest.unlink):
        damage()
        assert {one.path for one in audited(chain.study).faults} == {manifest, data}


def test_an_artifact_that_no_run_made_is_told(chain: Chain) -> None:
    invented_artifact(chain.study)
    assert [(fault.label, fault.path.name) for fault in audited(chain.study).faults] == [
        ("unknown-artifact", f"simclr-self-crop-s1.last{MANIFEST}")
    ]
    (chain.results / ".cache").rename(chain.results.parent / "cache")  # left behind in a move: nothing to go by
    assert audited(chain.study).faults == []


def test_an_artifact_without_its_entry_is_a_note_though_an_older_version_has_one(chain: Chain) -> None:
    for steps in (8, 9):
        chain.make("features/a", [".npy"], settings={"steps": steps}, content=b"the same")
    today.remember(chain.results, chain.study.name, [], {})
    record = json.loads((chain.study / "features" / "a.run.json").read_bytes())
    shutil.rmtree(chain.results / ".cache" / "features" / record["key"])
    done = audited(chain.study)
    assert done.faults == []
    assert "cache-not-compared" in kinds(done.findings)


def test_links_are_named_and_hide_nothing(chain: Chain, tmp_path: Path) -> None:
    before = audited(chain.study)
    shutil.move(chain.study / "recaption", tmp_path / "disk")
    (chain.study / "recaption").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "loop").symlink_to(chain.study)
    after = audited(chain.study)
    assert (after.artifacts, after.root) == (before.artifacts, before.root)
    assert {(one.path.name, one.kind) for one in after.faults} == {("recaption", Kind.LINK), ("loop", Kind.LINK)}
    damaged = chain.study / "recaption" / "00001.parquet"
    damaged.unlink()
    damaged.symlink_to("nowhere")
    (chain.study / "recaption" / "00002.parquet").unlink()
    assert {(one.path.name, one.kind) for one in audited(chain.study).faults} == {
        ("recaption", Kind.LINK),
        ("loop", Kind.LINK),
        ("00001.parquet", Kind.LINK),
        ("00002.parquet", Kind.MISSING_FILE),
    }


def test_links_at_and_above_the_results_folder_are_no_faults(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "results").symlink_to(chain.results)
    (tmp_path / "link").symlink_to(tmp_path / "project")
    assert audited(tmp_path / "link" / "results" / "study").faults == []


def test_an_artifact_the_report_does_not_know_is_a_note_and_outside_the_root(chain: Chain) -> None:
    root = audited(chain.study).root
    chain.make("select_captions/old", [".parquet"], {"captions": ["caption_table/captions"]}, {"old": True})
    done = audited(chain.study)
    assert (done.faults, done.root) == ([], root)
    assert [one.path.name for one in done.findings if one.kind is Kind.OUTSIDE] == ["old.manifest.json"]


def test_the_command(chain: Chain, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["audit", str(chain.results)]) == 0
    printed = capsys.readouterr().out
    assert "22 artifacts, 37 files" in printed
    assert printed.splitlines()[-1].startswith("everything is intact (contents checked in ")
    (chain.study / "summary" / "summary.csv").unlink()
    assert main(["audit", "--json", str(chain.study)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["holds"] is False
    assert [one["kind"] for one in told["studies"][0]["faults"]] == ["missing-file"]
    assert told["studies"][0]["faults"][0]["advice"].startswith("recompute it: snakemake --force ")
    assert main(["audit", str(tmp_path / "outside")]) == 2
    assert capsys.readouterr().err.startswith("error: no study in ")
    (chain.study / "logs").mkdir()
    assert main(["audit", str(chain.study / "logs")]) == 2
    assert capsys.readouterr().err.startswith("error: no artifacts in ")


def test_the_config_that_a_study_was_given_is_remembered(results: Path) -> None:
    assert today.units_of(results, "tiny") is None
    today.remember(results, "tiny", ["config.yaml", "profiles/demo/study.yaml", "tests/config/tiny.yaml"], {})
    units = today.units_of(results, "tiny")
    assert units is not None and units.study.study == "tiny"
    changed = today.units_of(results, "tiny", ["profiles/demo/study.yaml"])
    assert changed is None  # that is another study
    today.remember(results, "tiny", ["config.yaml", "gone.yaml"], {})
    assert today.units_of(results, "tiny") is None
    for note in (b"[]", pretty({"configfiles": []}), pretty(sealed({"configfiles": 5})), b"\xff", b""):
        (results / ".configs" / "tiny.json").write_bytes(note)
        with pytest.raises(PipelineError, match="note"):
            today.units_of(results, "tiny")


def test_finished_artifacts_stay_noted_while_the_study_has_them(chain: Chain) -> None:
    def noted_after(holds: Callable[[str, str], bool]) -> frozenset[str]:
        today.remember(chain.results, "study", [], {}, holds)
        return today.noted_artifacts(chain.results, "study") or frozenset()

    assert "report/index" in noted_after(lambda stage, name: False)
    for name in ("index.manifest.json", "index.run.json", "index.html"):
        (chain.study / "report" / name).unlink()
    assert "report/index" in noted_after(lambda stage, name: True)
    assert [(one.kind, one.path.parent.name) for one in audited(chain.study).faults] == [
        (Kind.MISSING_ARTIFACT, "report")
    ]
    assert "report/index" not in noted_after(lambda stage, name: stage != "report")
    assert audited(chain.study).faults == []


def test_a_study_that_is_missing_as_a_whole_is_told(chain: Chain) -> None:
    shutil.rmtree(chain.study)
    faults = [fault for one in audit([chain.results], [], quick=False, jobs=1) for fault in one.faults]
    assert [(one.kind, one.path) for one in faults] == [(Kind.MISSING_ARTIFACT, chain.study)]
    (alone,) = audit([chain.study], [], quick=False, jobs=1)
    assert [(one.kind, one.path) for one in alone.faults] == [(Kind.MISSING_ARTIFACT, chain.study)]


def test_a_study_without_artifacts_does_not_stop_the_audit_of_the_others(chain: Chain) -> None:
    (chain.results / "begun" / "logs").mkdir(parents=True)
    today.remember(chain.results, "begun", [], {})
    done = audit([chain.results], [], quick=False, jobs=1)
    assert [(one.study.name, one.faults) for one in done] == [("study", []), ("results", [])]
