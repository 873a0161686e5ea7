"""A study's crate is compared with its metadata and with the study."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audit.audited import audited
from tests.provenance.chain import Chain
from tests.provenance.crate.graphs import METADATA, PUBLISHED, Graph
from tests.provenance.manipulations.tools import replace_bytes
from workflow_scripts.audit.kinds import Kind
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.provenance.crate.write import write_crate


@pytest.fixture
def crate(chain: Chain) -> Path:
    write_crate(chain.study, "by request", 1.0, PUBLISHED)
    assert audited(chain.study).faults == []
    return chain.study / "crate"


def edit(crate: Path, change: Callable[[Graph], object]) -> None:
    """Apply ``change`` to the entities by id; what it removes goes."""
    metadata = json.loads((crate / METADATA).read_bytes())
    graph = {entity["@id"]: entity for entity in metadata["@graph"]}
    change(graph)
    (crate / METADATA).write_bytes(pretty({**metadata, "@graph": list(graph.values())}))


def renamed(crate: Path) -> None:
    (crate.parent / "outside.json").write_text("{}")
    edit(crate, lambda graph: graph["files/summary/summary.csv"].update({"@id": "../outside.json"}))


CSV, PLAN = "files/summary/summary.csv", "manifests/shard_plan/plan.json"
DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "another file": (CSV, lambda crate: replace_bytes(crate / CSV, b"x")),
    "no file": ("rules/pairs.smk", lambda crate: (crate / "rules/pairs.smk").unlink()),
    "another manifest": (PLAN, lambda crate: replace_bytes(crate / PLAN, b"[]")),
    "no manifest": (PLAN, lambda crate: (crate / PLAN).unlink()),
    "a manifest that is not described": ("", lambda crate: edit(crate, lambda graph: graph.pop(PLAN))),
    "another hash": (CSV, lambda crate: edit(crate, lambda graph: graph[CSV].update(sha256="0" * 64))),
    "another root": ("", lambda crate: edit(crate, lambda graph: graph["./"].update(identifier="root-sha256:0"))),
    "a file elsewhere": ("../outside.json", renamed),
    "no metadata": (METADATA, lambda crate: (crate / METADATA).unlink()),
    "no graph": (METADATA, lambda crate: (crate / METADATA).write_bytes(b'{"@graph": [1]}')),
    "no root": (METADATA, lambda crate: edit(crate, lambda graph: graph.pop("./"))),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_to_a_crate_is_named(crate: Path, name: str) -> None:
    file, damage = DAMAGE[name]
    damage(crate)
    faults = [fault for fault in audited(crate.parent).faults if fault.kind is Kind.BROKEN_CRATE]
    assert crate / file in {fault.path for fault in faults}, faults


def test_a_crate_of_another_state_of_the_study_is_named(chain: Chain, crate: Path) -> None:
    chain.make("summary/summary", [".parquet", ".csv"], {}, {"alpha": 0.2})
    everything = [
        f"{path.parent.name}/{path.name.split('.manifest')[0]}" for path in chain.study.glob("*/*.manifest.json")
    ]
    chain.make("report/index", [".html"], {"behind": sorted(name for name in everything if name != "report/index")})
    assert [(fault.kind, fault.path) for fault in audited(chain.study).faults] == [(Kind.BROKEN_CRATE, crate)]
