"""Precision is what a stage declares, whatever the machine says, and is documented."""

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.core.doubling import Doubling, digest_of_a_test_stage
from tests.helpers import make_artifact, run
from workflow_scripts.core.registry import members
from workflow_scripts.core.runtime import stage as module
from workflow_scripts.core.runtime.precision import ALGORITHMS, TF32, Precision, computing, current_switches, switches
from workflow_scripts.core.runtime.stage import Job, Stage
from workflow_scripts.pretraining.settings import TRAINING

__all__ = ["digest_of_a_test_stage"]  # a fixture
ROOT = Path(__file__).parents[3]
EXACT = Precision()
FAST = {"cudnn_tf32", "cudnn_benchmark"}


def seen(job: Job[Doubling]) -> None:
    """Writes the switches that it finds."""
    job.file(".json").write_text(json.dumps({**current_switches(), TF32: os.environ.get(TF32)}))


@pytest.mark.parametrize("precision", [EXACT, Precision(torch=False)])
def test_a_stage_computes_with_its_precision_and_records_it(
    precision: Precision, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "check_device", lambda device: None)
    monkeypatch.setattr(module, "machine", lambda packages, device: {"determinism": current_switches()})
    monkeypatch.setenv(TF32, "1")
    before = current_switches()
    declared = Stage(run=seen, settings=Doubling, artifact="{arm}", on_device=True, precision=precision)
    text = make_artifact(results, "text", "a", {".txt": b"ab"})
    made = run(declared, results, "seen/x", {}, {"text": text}, {"arm": "x"}, options=["--device", "cuda"])
    found = json.loads(made.path(".json").read_bytes())
    assert found.pop(TF32) == "0", "FAISS obeys nothing else"
    expected = switches(EXACT, "cuda") if precision.torch else before
    assert found == expected == json.loads((results / "study/seen/x.run.json").read_bytes())["determinism"]
    assert current_switches() == before


def test_float32_is_neither_tf32_nor_summed_in_sixteen_bits_on_a_gpu() -> None:
    with computing(EXACT, "cuda"):
        assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction
        assert torch.get_float32_matmul_precision() == "highest"
        assert {name for name, on in current_switches().items() if on} == {"cudnn_deterministic"}


def test_training_is_fast_on_a_gpu_and_deterministic_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TF32, "0")
    with computing(TRAINING, "cuda"):
        assert {name for name, on in current_switches().items() if on} == FAST and TF32 not in os.environ
    with computing(TRAINING, "cpu"):
        assert {name for name, on in current_switches().items() if on} == {"cudnn_deterministic", ALGORITHMS}
    assert os.environ[TF32] == "0"


def test_the_variable_of_nvidias_containers_has_no_effect() -> None:
    """It sets PyTorch's default when that is loaded."""
    code = (
        "import torch; from workflow_scripts.core.runtime.precision import *\n"
        "print(torch.backends.cuda.matmul.allow_tf32)\n"
        "with computing(Precision(), 'cuda'): print(torch.backends.cuda.matmul.allow_tf32)"
    )
    environment = {**os.environ, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"]


def test_a_cpu_stage_does_not_load_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # its import fails
    with computing(EXACT, "cpu"), computing(Precision(torch=False), "cuda"):
        pass
    with pytest.raises(ImportError), computing(EXACT, "cuda"):
        pass
    assert TF32 not in os.environ


def declarations() -> dict[str, Precision]:
    modules = (import_module(f"workflow_scripts.stages.{name}") for name in members(ROOT / "workflow_scripts/stages"))
    stages: list[Stage[Any]] = [module.STAGE for module in modules if hasattr(module, "STAGE")]
    return {stage.name: stage.precision for stage in stages if stage.on_device or stage.precision != EXACT}


def test_the_table_of_precisions_has_the_stages_that_compute_on_a_device() -> None:
    text = (ROOT / "docs/decisions.md").read_text().partition("### Precision on a GPU\n")[2].partition("\n#")[0]
    table = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    assert table[0] == ["stages", "weights", "products", "sums", "why"]
    listed = [stage for stages, *_, why in table[2:] for stage in re.findall(r"`(\w+)`", stages) if why]
    assert sorted(listed) == sorted(declarations())


def test_nothing_else_changes_the_precision() -> None:
    words = re.compile(r"allow_tf32|fp32_precision|matmul_precision|reduced_precision|use_deterministic|cudnn\.")
    found = {path.name for path in (ROOT / "workflow_scripts").rglob("*.py") if words.search(path.read_text())}
    assert found == {"precision.py"}
