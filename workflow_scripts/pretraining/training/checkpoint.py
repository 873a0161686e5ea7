"""State of a run for resuming: one safetensors file, tensors and, in its header, the rest as JSON.

One file and one rename: a run that crashes while it writes leaves the previous checkpoint, never part of one.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import move_durable

NAME = "checkpoint.safetensors"


@dataclass
class State:
    """Progress of a run, apart from its tensors.

    Attributes:
        step: steps done.
        window: losses since the curve's last row.
        curve: rows of the curve.
        best: accuracy of the best checkpoint by the online probe so far, and its step.
        stale: probes since then.
        stopped: the stopping rule has ended the run.
        scaler: state of the loss scaler (fp16).
    """

    step: int = 0
    window: list[float] = field(default_factory=list)
    curve: list[dict[str, Any]] = field(default_factory=list)
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    stopped: bool = False
    scaler: dict[str, Any] = field(default_factory=dict)


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors (contiguous, on CPU) to ``path``, atomically; they are on disk when this returns.

    A resumed run does not write the weights of earlier steps again, so none may be lost.
    """
    part = path.with_name(f".{path.name}.part")
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    part.unlink(missing_ok=True)  # after a crash it can be a hard link to the checkpoint
    save_file(ready, part, metadata)
    move_durable(part, path)


def save(
    folder: Path,
    state: State,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: dict[str, torch.Tensor] | None,
    hits: torch.Tensor | None,
) -> None:
    """Write the checkpoint of ``folder``; ``best`` are the best backbone's weights so far, ``hits`` (q,) bool the
    probe's queries that it classifies correctly."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for part, tensor in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{part}.{name}"] = tensor
    tensors |= {f"best.{name}": tensor for name, tensor in (best or {}).items()}
    if hits is not None:
        tensors["hits"] = hits
    write_tensors(folder / NAME, tensors, {"state": json.dumps(asdict(state))})


def load(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[State, dict[str, torch.Tensor] | None, torch.Tensor | None]:
    """Restore model and optimizer from the checkpoint of ``folder``; returns the state, the best weights and hits.

    Without a checkpoint nothing changes, and the state is that of step 0.

    Raises:
        PipelineError: the file is damaged or belongs to another model.
    """
    path = folder / NAME
    if not path.exists():
        return State(), None, None
    try:
        with safe_open(path, "pt") as file:
            state = State(**json.loads(file.metadata()["state"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        model.load_state_dict(_below("model.", tensors))
        for part in ("step", "exp_avg", "exp_avg_sq"):
            found = _below(f"optimizer.{part}.", tensors)
            for name, parameter in model.named_parameters():
                if name in found:
                    # Moments must have the memory layout of their parameter, or the optimizer takes a slower path.
                    like = torch.empty_like(parameter.detach())
                    like = like if part != "step" else like.new_empty((), dtype=torch.float32)
                    optimizer.state[parameter][part] = like.copy_(found[name])
    except (SafetensorError, RuntimeError, KeyError, ValueError, TypeError) as error:
        value = str(error).splitlines()[0]
        raise PipelineError("damaged checkpoint", path, value, "delete it to restart the training") from None
    return state, _below("best.", tensors) or None, tensors.get("hits")


def step_reached(folder: Path) -> int:
    """Step of the checkpoint of ``folder``; 0 without one, or when it can't be read."""
    try:
        with safe_open(folder / NAME, "pt") as file:
            return int(json.loads(file.metadata()["state"])["step"])
    except (FileNotFoundError, SafetensorError, KeyError, ValueError, TypeError):
        return 0


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
