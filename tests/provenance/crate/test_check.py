"""What a check of a crate finds."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.provenance.crate.graphs import Graph, edit
from tests.provenance.hand_made import fake_hash
from workflow_scripts.provenance.crate.check import check


def test_a_fresh_crate_is_whole_wherever_it_lies(crate: Path) -> None:
    assert check(crate) == []


JOB, CONTROL = "#job/pair_table/revised", "#control/pair_table/revised"


def drop(*names: str) -> Callable[[Graph], None]:
    def change(graph: Graph) -> None:
        for name in names:
            del graph[name]

    return change


def drop_all_traces(graph: Graph) -> None:
    """The job, its step, and every reference to them: as if it had never been."""
    for name in (JOB, CONTROL):
        del graph[name]
    for entity in graph.values():
        for key, value in list(entity.items()):
            if isinstance(value, list):
                entity[key] = [one for one in value if one not in ({"@id": JOB}, {"@id": CONTROL})]


def set_value(name: str, key: str, value: object) -> Callable[[Graph], None]:
    return lambda graph: graph[name].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda graph: graph["#pair_table/revised.parquet"].pop("sha256"), "has no sha256 or no size"),
        (set_value("#pair_table/revised.parquet", "sha256", fake_hash("other")), "is not among its results"),
        (set_value("files/summary/summary.csv", "sha256", fake_hash("other")), "has other bytes than described"),
        (drop(JOB), f"names {JOB}, which is not described"),
        (drop_all_traces, "manifests/pair_table/revised.json: no job made it"),
        (drop(CONTROL), f"{JOB}: 0 steps name it instead of one"),
        (drop("manifests/pair_table/revised.json"), "which is not described"),
        (drop("#stage/pair_table"), "which is not described"),
        (set_value(JOB, "endTime", "2020-01-01T00:00:00.000+00:00"), "has no start and end in order"),
        (lambda graph: graph[JOB].pop("startTime"), "has no start and end in order"),
        (set_value("./", "identifier", "root-sha256:" + fake_hash("x")), "are not all of the study's"),
        (lambda graph: graph["./"].pop("license"), "has no license"),
        (lambda graph: graph["./"]["conformsTo"].pop(2), "does not name the profile"),
        (lambda graph: graph["./"]["hasPart"].remove({"@id": "#download/00000.tar"}), "is not part of the crate"),
        (set_value("#step/pair_table", "workExample", {"@id": "#stage/pretrain"}), "have different tools"),
        (set_value("./", "description", "ask me@example.org"), "a mail address"),
    ],
)
def test_damage_to_the_metadata_is_caught(crate: Path, change: Callable[[Graph], None], message: str) -> None:
    edit(crate, change)
    assert any(message in fault for fault in check(crate)), check(crate)


def test_free_text_and_further_files_are_not_checked(crate: Path) -> None:
    """``free-text-of-the-crate`` in docs/provenance.md."""
    path = crate / "ro-crate-metadata.json"
    metadata = json.loads(path.read_bytes())
    described = next(one for one in metadata["@graph"] if one.get("description"))
    described["description"] += " And more."
    path.write_text(json.dumps(metadata))
    (crate / "notes.txt").write_text("x")
    assert check(crate) == []


def test_an_edited_value_of_a_setting_is_caught(crate: Path) -> None:
    def change(graph: Graph) -> None:
        for entity in graph.values():
            if entity["@id"].startswith("#value/"):
                entity["value"] += "1"

    edit(crate, change)
    faults = check(crate)
    assert faults
    assert all("is not the one that its name has the hash of" in fault for fault in faults)


def test_damage_to_the_files_is_caught(crate: Path) -> None:
    (crate / "files" / "summary" / "summary.csv").write_bytes(b"0.99")
    (crate / "rules" / "pairs.smk").unlink()
    (crate / "manifests" / "report" / "index.json").unlink()
    (crate / "manifests" / "shard_plan" / "plan.json").write_bytes(b"[]")
    faults = check(crate)
    assert "files/summary/summary.csv: has other bytes than described" in faults
    assert "rules/pairs.smk: is not in the crate" in faults
    assert "manifests/report/index.json: is not in the crate" in faults
    assert "manifests/shard_plan/plan.json: is not a manifest" in faults


def test_paths_out_of_the_crate_are_not_followed(crate: Path) -> None:
    (crate.parent / "outside.json").write_text("{}")

    def change(graph: Graph) -> None:
        graph["../outside.json"] = {**graph.pop("files/summary/summary.csv"), "@id": "../outside.json"}

    edit(crate, change)
    assert "../outside.json: is not in the crate" in check(crate)
