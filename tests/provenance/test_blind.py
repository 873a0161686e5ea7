"""What an audit can't find is what docs/audit.md says, and no more."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.audit.test_beside import KEY, RATINGS
from tests.conftest import ROOT
from tests.provenance.chain import RUNS, Chain, finished
from tests.provenance.manipulations.tools import entry_of, replace_bytes, rewrite
from tests.provenance.outsider.shared import note_of_config_rewritten
from tests.provenance.outsider.tools import dump, keyed, signed
from tests.provenance.outsider.unrecorded import invented_artifact
from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.acquisition.store.segment import BYTES, INDEX, LINES, stems, with_suffix
from workflow_scripts.acquisition.store.store import Store
from workflow_scripts.audit.audit import audit
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.cache import file_hash, stored
from workflow_scripts.core.files.copies import record_copy
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.names import FETCHED
from workflow_scripts.core.files.notes import write_note
from workflow_scripts.core.inputs import stamp_of
from workflow_scripts.core.sources import REMEMBERED
from workflow_scripts.provenance.crate.write import write_crate
from workflow_scripts.study import active_config as today
from workflow_scripts.study.config.stages import published

ELSEWHERE = {"how-images-came"}  # in test_shared.py
BLIND: dict[str, Callable[[Chain], object]] = {}


def blind(function: Callable[[Chain], object]) -> Callable[[Chain], object]:
    BLIND[function.__name__.replace("_", "-")] = function
    return function


def rewritten(study: Path, data: bytes) -> tuple[dict[str, Any], Path]:
    """The report's page, manifest and record, rewritten to fit each other; gives the manifest and the entry."""
    record = study / "report" / f"index{RUN}"
    entry = entry_of(record)
    replace_bytes(study / "report" / "index.html", data)
    manifest = json.loads((study / "report" / f"index{MANIFEST}").read_bytes())
    manifest["files"][".html"] = {"sha256": file_hash(study / "report" / "index.html"), "bytes": len(data)}
    replace_bytes(study / "report" / f"index{MANIFEST}", pretty(manifest))
    rewrite(record, lambda one: one.update(manifest=digest(manifest)))
    return manifest, entry


@blind
def everything_consistent(chain: Chain) -> None:
    manifest, entry = rewritten(chain.study, b"other")
    replace_bytes(stored(entry, ".html"), b"other")
    replace_bytes(entry / "manifest.json", pretty(manifest))
    rewrite(entry / "run.json", lambda one: one.update(manifest=digest(manifest)))


@blind
def from_some_stage_on(chain: Chain) -> None:
    for stage in ("summary", "report"):
        for folder in (chain.study / stage, chain.results / ".cache" / stage):
            shutil.rmtree(folder)
    probes = [f"linear_probe/{run}.last" for run in RUNS]
    chain.make("summary/summary", [".parquet", ".csv"], {"probe": probes})
    everything = [f"{p.parent.name}/{p.name.removesuffix(MANIFEST)}" for p in chain.study.glob(f"*/*{MANIFEST}")]
    chain.make("report/index", [".html"], {"behind": sorted(everything)})


@blind
def ratings_not_yet_read(chain: Chain) -> None:
    (chain.study / "labels").mkdir()
    (chain.study / "labels" / "sheet.html").write_bytes(b"other pictures")
    (chain.study / "labels" / "sheet.html.key.csv").write_bytes(KEY.replace(b"0f", b"2f"))
    (chain.study / "labels" / "notes.txt").write_bytes(b"x")
    (chain.study / "labels" / "R.csv").write_bytes(RATINGS.replace(b"3,2,1", b"0,0,0"))


@blind
def deleted_records(chain: Chain) -> None:
    record_copy(chain.study, Path("page.html"), ["k1"])
    (chain.study / "labels").mkdir()
    (chain.study / "labels" / "sheet.html").write_bytes(b"a sheet without its key")
    for path in (chain.study / "copies").iterdir():
        path.unlink()


@blind
def other_bytes_in_the_store(chain: Chain) -> None:
    for job, data in (("first", b"an image"), ("second", b"another image"), ("third", b"a third image")):
        with Store(chain.results / FETCHED, job) as store:
            store.add(Record("https://x.invalid/a", State.OK, 200), data)
            store.seal()
    removed = stems(chain.results / FETCHED)[0]
    for suffix in (LINES, BYTES, INDEX):
        with_suffix(removed, suffix).unlink()


@blind
def remembered_hashes(chain: Chain) -> None:
    model = chain.results.parent / "outside" / "model"
    name = hashlib.sha256(os.fsencode(model.resolve())).hexdigest()
    content = {"files": {"weights.bin": [list(stamp_of((model / "weights.bin").stat())), "0" * 64]}}
    write_note(chain.results / REMEMBERED / f"{name}.json", content)


@blind
def not_hashed_in_a_source(chain: Chain) -> None:
    model = chain.results.parent / "outside" / "model"
    (model / ".hidden").write_bytes(b"x")
    (model / "empty").mkdir()
    os.mkfifo(model / "pipe")


@blind
def without_a_cache(chain: Chain) -> None:
    _, entry = rewritten(chain.study, b"other")
    entry.rename(chain.results.parent / "entry")


@blind
def record_of_a_reuse(chain: Chain) -> None:
    rewrite(chain.study / "data_card" / f"card{RUN}", lambda one: one.update(workers=7, seconds=0.5))


@blind
def acceptance_in_a_record(chain: Chain) -> None:
    entry = {"stage": "summary", "code": "a", "counts_as": "b", "reason": "x", "when": "2026-01-01T00:00:00.000+00:00"}
    rewrite(chain.study / "summary" / f"summary{RUN}", lambda one: one.update(accepted=entry))


@blind
def noted_and_deleted(chain: Chain) -> None:
    for path in (chain.study / "report").iterdir():
        path.unlink()
    note = today.note_of(chain.results, "study")
    content = json.loads(note.read_bytes())
    content.pop("self")
    content["artifacts"].remove("report/index")
    write_note(note, content)


@blind
def shortened_note(chain: Chain) -> None:
    note_of_config_rewritten(chain.study)


@blind
def invented_and_noted(chain: Chain) -> None:
    invented_artifact(chain.study)
    today.remember(chain.results, chain.study.name, [], {})


@blind
def other_key_and_times(chain: Chain) -> None:
    record = chain.study / "summary" / f"summary{RUN}"
    content = keyed({**json.loads(record.read_bytes()), "settings": {"alpha": 0.5}})
    times = {"start": "2026-01-01T00:00:00.000+00:00", "end": "2026-01-01T00:00:01.000+00:00"}
    replace_bytes(record, dump(signed({**content, **times})))


@blind
def not_yet_noted(chain: Chain) -> None:
    chain.make("pair_quality/late", [".json"], {"images": ["image_index/images"]})
    for path in (chain.study / "pair_quality").iterdir():
        path.unlink()


@blind
def same_content(chain: Chain) -> None:
    one, other = (chain.study / "download" / f"0000{number}.tar" for number in (0, 1))
    replace_bytes(one, one.read_bytes())
    elsewhere = chain.results.parent / "copy"
    elsewhere.write_bytes(other.read_bytes())
    other.unlink()
    os.link(elsewhere, other)


@blind
def metadata_of_the_crate(chain: Chain) -> None:
    path = write_crate(chain.study, "by request", 1.0, published())
    metadata = json.loads(path.read_bytes())
    for entity in metadata["@graph"]:
        entity["description"] = f"{entity.get('description')} And more."
    path.write_text(json.dumps(metadata))
    (path.parent / "notes.txt").write_text("x")


@blind
def logs(chain: Chain) -> None:
    for name in (
        chain.study / "logs" / "x.log",
        chain.study / "benchmarks" / ".x",
        chain.results / ".work" / "a" / "b",
    ):
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(b"x")


@blind
def beside_the_studies(chain: Chain) -> None:
    (chain.results / "notes.txt").write_bytes(b"x")
    (entry_of(chain.study / "report" / f"index{RUN}") / "files" / "empty").mkdir()


def faults(results: Path) -> list[object]:
    return [fault for study in audit([results], [], quick=False, jobs=2) for fault in study.faults]


@pytest.fixture
def chain(results: Path, tmp_path: Path) -> Chain:
    """A finished study of this test's own, with one artifact that was taken from the cache."""
    made = finished(results, tmp_path / "outside")
    made.make("data_card/card", [".json"], {"plan": ["shard_plan/plan"]})
    made.make("data_card/card", [".json"], {"plan": ["shard_plan/plan"]})
    assert faults(results) == []
    return made


@pytest.mark.parametrize("name", list(BLIND))
def test_documented_blind_spots_are_not_detected(chain: Chain, name: str) -> None:
    BLIND[name](chain)
    assert faults(chain.results) == []


def test_the_documented_blind_spots_match_the_tested_ones() -> None:
    text = (ROOT / "docs" / "audit.md").read_text()
    listed = text.partition("<!-- tests/provenance/test_blind.py reads this list -->")[2].partition("<!-- end -->")[0]
    assert set(re.findall(r"^- `([a-z-]+)`", listed, re.MULTILINE)) == {*BLIND, *ELSEWHERE}
