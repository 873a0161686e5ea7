"""Artifacts that a study is known to have, by its note or by the report, are compared with those that are there."""

import json
import shutil
from collections.abc import Callable

from tests.audit.audited import audited, kinds
from tests.provenance.chain import Chain
from tests.provenance.outsider.unrecorded import invented_artifact
from workflow_scripts.audit.audit import audit
from workflow_scripts.audit.kinds import Kind
from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.study import active_config as today


def test_an_artifact_unknown_to_the_study_is_reported(chain: Chain) -> None:
    invented_artifact(chain.study)
    assert [(fault.kind, fault.path.name) for fault in audited(chain.study).faults] == [
        ("unnamed", f"simclr-self-crop-s1.last{MANIFEST}")
    ]
    (chain.results / ".cache").rename(chain.results.parent / "cache")  # left behind in a move: nothing to go by
    assert audited(chain.study).faults == []


def test_a_missing_cache_entry_is_a_note_even_if_an_older_version_has_one(chain: Chain) -> None:
    for steps in (8, 9):
        chain.make("features/a", [".npy"], settings={"steps": steps}, content=b"the same")
    today.remember(chain.results, chain.study.name, [], {})
    record = json.loads((chain.study / "features" / "a.run.json").read_bytes())
    shutil.rmtree(chain.results / ".cache" / "features" / record["key"])
    done = audited(chain.study)
    assert done.faults == []
    assert "not-compared" in kinds(done.findings)


def test_an_artifact_outside_the_report_is_a_note_and_not_in_the_root_hash(chain: Chain) -> None:
    root = audited(chain.study).root
    chain.make("select_captions/old", [".parquet"], {"captions": ["caption_table/captions"]}, {"old": True})
    done = audited(chain.study)
    assert (done.faults, done.root) == ([], root)
    assert [one.path.name for one in done.findings if one.kind is Kind.OUTSIDE] == ["old.manifest.json"]


def test_finished_artifacts_stay_noted_while_the_study_includes_them(chain: Chain) -> None:
    def noted_after(holds: Callable[[str, str], bool]) -> frozenset[str]:
        today.remember(chain.results, "study", [], {}, holds)
        return today.noted_artifacts(chain.results, "study") or frozenset()

    assert "report/index" in noted_after(lambda stage, name: False)
    for name in ("index.manifest.json", "index.run.json", "index.html"):
        (chain.study / "report" / name).unlink()
    assert "report/index" in noted_after(lambda stage, name: True)
    assert [(fault.kind, fault.path.parent.name) for fault in audited(chain.study).faults] == [(Kind.MISSING, "report")]
    assert "report/index" not in noted_after(lambda stage, name: stage != "report")
    assert audited(chain.study).faults == []


def test_a_missing_study_folder_is_reported(chain: Chain) -> None:
    shutil.rmtree(chain.study)
    faults = [fault for study in audit([chain.results], [], quick=False, jobs=1) for fault in study.faults]
    assert [(fault.kind, fault.path) for fault in faults] == [(Kind.MISSING, chain.study)]
    (alone,) = audit([chain.study], [], quick=False, jobs=1)
    assert [(one.kind, one.path) for one in alone.faults] == [(Kind.MISSING, chain.study)]


def test_a_study_without_artifacts_does_not_stop_the_audit_of_the_others(chain: Chain) -> None:
    (chain.results / "begun" / "logs").mkdir(parents=True)
    today.remember(chain.results, "begun", [], {})
    done = audit([chain.results], [], quick=False, jobs=1)
    assert [(one.study.name, one.faults) for one in done] == [("study", []), ("results", [])]
