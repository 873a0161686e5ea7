"""Variables of the environment that libraries obey: the same bytes, or a flag that ``verify`` names."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.captions.small_blip2 import draw_pictures
from tests.helpers import run
from tests.pretraining.shapes import SMALL
from tests.stages.captioned import RECAPTION, shard
from tests.stages.test_pretrain import make_index
from workflow_scripts.core.digest import ROOT
from workflow_scripts.provenance.nodes import Node, read_node
from workflow_scripts.provenance.verify import Options, command, verify
from workflow_scripts.stages import pretrain, recaption, source
from workflow_scripts.study.config.stages import tolerance

SECONDS = 600  # after which a job counts as stuck: a limit of threads made products wait for ever
# Threads that wait without working change no numbers, and finish sooner on a busy machine.
PLAIN = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "OMP_WAIT_POLICY": "passive"}
UNSET = {
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "2",  # halves every gradient
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "MKL_NUM_STRIPES": "4",
    "OMP_MAX_ACTIVE_LEVELS": "0",
    "OMP_THREAD_LIMIT": "1",
}
RECORDED = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Prescott",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3",
    "FAISS_SIMD_LEVEL": "NONE",
}


@pytest.fixture(scope="module", params=["recaption", "pretrain"])
def made(
    request: pytest.FixtureRequest, checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Node:
    """An artifact made on one thread, without any of the variables."""
    results = tmp_path_factory.mktemp(request.param) / "results"
    if request.param == "pretrain":
        settings = {**SMALL, "steps": 2, "warmup_steps": 1}
        artifact = run(pretrain.STAGE, results, "pretrain/run", settings, {"images": make_index(results)})
        return read_node(artifact.manifest_path)
    inputs = {"shard": shard(results, "00000", draw_pictures()[:5], 0, 0)[0]}
    for name, path in checkpoints.items():
        kept = run(source.STAGE, results, f"source/{name}", {"at": str(path)}, unit={"source": name})
        inputs[name] = kept.manifest_path
    unit = {"shard": "00000"}
    artifact = run(recaption.STAGE, results, "recaption/00000", RECAPTION, inputs, unit, checkpoints)
    return read_node(artifact.manifest_path)


def again(node: Node, folder: Path, variables: dict[str, str]) -> str:
    """The manifest's hash if another process makes the artifact on two threads."""
    target = folder / "results" / "study" / node.stage / node.name
    words = command(node, target, Options(folder, tolerance, threads=2))
    environment = {**os.environ, **PLAIN, **variables}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert all((name in done.stderr) == (name in variables) for name in UNSET)
    return read_node(target.with_name(f"{target.name}.manifest.json")).hash


def test_variables_that_are_unset_change_no_bytes(made: Node, tmp_path: Path) -> None:
    assert again(made, tmp_path / "with", UNSET) == again(made, tmp_path / "without", {})


def test_verify_names_variables_that_are_recorded(made: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in RECORDED.items():
        monkeypatch.setenv(name, value)
    verdicts = verify(made, Options(tmp_path, tolerance))
    for name, value in RECORDED.items():
        assert all(f"{name} {value}, not set before" in one.detail for one in verdicts), verdicts
    record = read_node(tmp_path / "results" / "study" / made.stage / f"{made.name}.manifest.json").record
    assert record is not None and RECORDED.items() <= record["determinism"].items()
