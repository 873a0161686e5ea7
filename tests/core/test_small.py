"""Seeds, tables, errors, JSON: small parts that everything rests on."""

import copy
import json
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.core.errors import PipelineError, last_error
from workflow_scripts.core.files.jsonio import canonical, pretty, read_json
from workflow_scripts.core.files.tables import write_table
from workflow_scripts.core.runtime.environment import (
    check_faiss,
    environment,
    faiss_on_gpu,
    resolve_device,
    version,
    versions,
)
from workflow_scripts.stats.seeds import derive


def test_seed_values_are_pinned() -> None:
    assert derive(0) == 0x5FECEB66FFC86F38 >> 1
    assert derive(0, "shard", 1) != derive(0, "shard", "1")


@given(st.integers(0, 2**40), st.lists(st.one_of(st.integers(), st.text()), max_size=3))
def test_seeds_are_63_bit_and_stable(seed: int, parts: list[int | str]) -> None:
    value = derive(seed, *parts)
    assert 0 <= value < 2**63
    assert value == derive(seed, *parts)


def test_an_error_is_a_single_line_and_survives_pickling() -> None:
    error = PipelineError("bad\nrow", Path("a.json"), {"x": 1}, "mend it")
    assert str(error) == "bad row in a.json: {'x': 1}; mend it"
    assert str(copy.copy(error)) == str(error)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ""),
        ("12:00 fine\nerror\n", ""),
        ("error: a in b: c; d\n", "a in b: c; d"),
        ("error: first\nerror: second\nerror: third\nlast words", "third"),
        ("  error: of an earlier attempt\n12:00 an error: in a line\n", ""),
    ],
)
def test_the_last_error_of_a_text(text: str, error: str) -> None:
    assert last_error(text) == error


def test_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    table = pa.table({"a": [1, None, 3], "b": ["x", "y", "z"]})
    other = pa.concat_tables([table.slice(0, 1), table.slice(1)]).replace_schema_metadata({"made": "today"})
    write_table(tmp_path / "one", table)
    write_table(tmp_path / "two", other.combine_chunks())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_canonical_json_rejects_nan() -> None:
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'
    with pytest.raises(ValueError, match="Out of range"):
        canonical({"a": float("nan")})


def test_manifests_and_records_have_sorted_keys_and_a_value_per_line() -> None:
    assert pretty({"b": [1], "a": "é"}) == '{\n "a": "é",\n "b": [\n  1\n ]\n}\n'.encode()


@pytest.mark.parametrize(("content", "what"), [(None, "missing file"), (b"{", "unreadable JSON")])
def test_bad_json_is_named(tmp_path: Path, content: bytes | None, what: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PipelineError, match=f"{what} in .*a.json.*; do this"):
        read_json(path, "do this")


def test_environment_names_device_threads_and_minor_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert resolve_device("auto") == "cpu"
    assert resolve_device("cuda") == "cuda"
    assert version("no-such-package") is None
    found = environment("cpu", 2, ["numpy", "no-such-package"])
    assert json.loads(canonical(found))["packages"]["no-such-package"] == "absent"
    assert found["packages"]["numpy"].count(".") == 1


def test_faiss_is_recorded_by_the_name_of_its_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert versions(["faiss"]) == {"faiss": None} and not faiss_on_gpu()
    with pytest.raises(PipelineError, match=r"missing Python package in .*: faiss; pip install 'faithful-pairs\[cpu\]"):
        check_faiss()
    install(tmp_path, "faiss_cpu", "1.15.1")
    check_faiss()
    assert versions(["faiss"]) == {"faiss-cpu": "1.15.1"} and not faiss_on_gpu()
    cpu = environment("cuda", 1, ["faiss"])
    install(tmp_path, "faiss_gpu_cuvs", "1.15.1")
    with pytest.raises(
        PipelineError, match=r"several builds of FAISS in .*: faiss-cpu, faiss-gpu-cuvs; .* pip uninstall"
    ):
        check_faiss()
    shutil.rmtree(tmp_path / "faiss_cpu-1.15.1.dist-info")
    check_faiss()
    assert faiss_on_gpu() and environment("cuda", 1, ["faiss"])["packages"] == {"faiss-gpu-cuvs": "1.15"}
    assert cpu["packages"] == {"faiss-cpu": "1.15"}


def install(folder: Path, name: str, version: str) -> None:
    (folder / f"{name}-{version}.dist-info").mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n"
    (folder / f"{name}-{version}.dist-info" / "METADATA").write_text(metadata)
