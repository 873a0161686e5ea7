"""Artifacts and their inputs as a graph, also where files are damaged."""

import json
import shutil
from pathlib import Path

import pytest

from tests.provenance.chain import RUNS, Chain, finished
from workflow_scripts.audit.audit import Audit, Noted
from workflow_scripts.core.files.bounded_json import LARGEST
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.notes import sealed
from workflow_scripts.provenance.nodes import inputs_of, load, read_node


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A finished study; only one test damages it, in a corner of its own."""
    folder = tmp_path_factory.mktemp("nodes")
    return finished(folder / "results", folder / "outside")


def test_every_manifest_is_a_node_and_hidden_folders_are_not_read(chain: Chain) -> None:
    nodes = load(chain.results)
    assert len(nodes) == 22
    assert len({node.label for node in nodes}) == 22
    assert load(chain.study / "pretrain") == [node for node in nodes if node.stage == "pretrain"]


def test_inputs_are_resolved_relative_to_the_results_folder(chain: Chain) -> None:
    node = read_node(chain.study / "caption_table" / "captions.manifest.json")
    found = inputs_of(node)
    assert [(one.name, one.node.label) for one in found if one.node] == [
        *(("download", f"download/{number:05d}") for number in range(4)),
        ("images", "image_index/images"),
        *(("recaption", f"recaption/{number:05d}") for number in range(4)),
    ]
    assert all(one.node is not None and one.node.hash == one.recorded_hash for one in found)


def test_files_in_a_folder_and_the_record_of_the_computation(chain: Chain) -> None:
    node = read_node(chain.study / "pretrain" / f"{RUNS[0]}.manifest.json")
    assert node.file("/last.safetensors") == chain.study / "pretrain" / RUNS[0] / "last.safetensors"
    assert node.computation == node.record
    inputs = {"images": ["image_index/images"], "captions": ["select_captions/revised"]}
    settings = {"steps": 9, "run": RUNS[0]}
    again = read_node(chain.make(f"pretrain/{RUNS[0]}", ["/last.safetensors", "/run.json"], inputs, settings))
    assert again.record is not None and again.record["cached"] is True
    assert again.computation is not None and again.computation["closure"]
    assert again.hash == node.hash


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"{", "not JSON"),
        (b" " * (LARGEST + 1), "bytes; at most"),
        (b'{"stage": "x", "unit": {}}', "its files: Field required"),
        (b'{"stage": "x", "unit": {}, "files": {".a": {"sha256": "0", "bytes": 1}}}', "its files..a.sha256"),
        (b'{"stage": "x", "unit": {}, "files": {"/../../b": {}}}', "unsafe file suffix"),
        (b'{"stage": "x", "unit": {}, "files": [".a"]}', "its files: Input should be a valid dictionary"),
        (b'{"stage": "x", "unit": {}, "files": {}, "rows": {"in": 5, "out": 4, "dropped": {}}}', "add up"),
        (b'{"stage": "x", "unit": {}, "files": {}, "rows": {"in": 5, "out": null, "dropped": {}}}', "its rows.out"),
        (b'{"stage": "x", "unit": {}, "files": {}, "rows": {"in": 5, "out": 5, "dropped": null}}', "its rows.dropped"),
        (b'{"stage": "x", "unit": {}, "files": {}, "rows": {"in": 5}}', "add up"),
    ],
)
def test_a_damaged_manifest_is_a_node_with_a_fault(tmp_path: Path, data: bytes, fault: str) -> None:
    path = tmp_path / "study" / "x" / "a.manifest.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    node = read_node(path)
    assert node.manifest == {} and node.record is None
    assert fault in str(node.manifest_file.fault)
    assert "there is none" in str(node.record_file.fault)
    assert inputs_of(node) == []


@pytest.mark.parametrize(
    "change",
    [
        {"settings": None},
        {"inputs": [1]},
        {"inputs": {"a": None}},
        {"input_files": {"a": "b"}},
        {"beside": {".x": 1}},
        {"beside": 1},
        {"accepted": "x"},
        {"original": []},
        {"original": {"unit": []}},
    ],
)
def test_a_malformed_run_record_reads_as_none(chain: Chain, tmp_path: Path, change: dict[str, object]) -> None:
    study = shutil.copytree(chain.study, tmp_path / "results" / "study")
    record = study / "summary" / "summary.run.json"
    record.chmod(0o644)
    content = {**json.loads(record.read_bytes()), **change}
    record.write_bytes(pretty(sealed({name: value for name, value in content.items() if name != "self"})))
    node = read_node(study / "summary" / "summary.manifest.json")
    assert node.record is None and node.record_file.fault is not None
    assert {one.kind for one in Audit(study, study, Noted(), quick=True, jobs=1).run().faults} == {"edited-record"}
