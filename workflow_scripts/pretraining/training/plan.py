"""Everything that a training process needs, in a form that can be passed to it as a file."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, TypeAdapter

from workflow_scripts.core.shards import TarImages
from workflow_scripts.pretraining.data.caption_vectors import CaptionVectors
from workflow_scripts.pretraining.data.loader import Order
from workflow_scripts.pretraining.data.pairing import Pairing
from workflow_scripts.pretraining.data.token_rows import TokenRows
from workflow_scripts.pretraining.method import Signal, Sizes
from workflow_scripts.pretraining.monitor.probing import ProbeRows
from workflow_scripts.pretraining.schedule import Schedule, schedule
from workflow_scripts.pretraining.settings import METHODS, Pretrain

OUTCOME = "outcome.json"
SAMPLED = 8  # batches: the run's first ones


def decoded_bytes(index: pa.Table) -> int:
    """Bytes that the images of an index (columns width, height) take as uint8 RGB."""
    return 3 * int(pc.sum(pc.multiply(index["width"].cast("int64"), index["height"].cast("int64"))).as_py() or 0)


@dataclass(frozen=True)
class Plan:
    """A run to train.

    Attributes:
        settings: of the run.
        images: images of the study in index order.
        keep_decoded: whether decoded images stay in memory.
        pairing: positive pairs.
        captions: (m,) int64, equal for equal captions of ``pairing.sources``, if the method learns that, else None.
        tokens: rows of the same captions (CLIP), else None.
        labels: (m,) int64 label of each of ``pairing.sources`` (supervised), else None.
        vectors: of the same captions (clip_sbert, xclr), else None.
        faithfulness: (n,) float32, how faithful the caption of each image is, NaN if unknown; None: no weights.
        probe: labelled images of the online probe, or None.
        work: folder for checkpoints and output files.
        device: ``cpu`` or ``cuda``.
        threads: math threads of each process.
        workers: threads that prepare batches, of all processes of a node together.
        study, run: names of both, for trackers.
    """

    settings: Pretrain
    images: TarImages
    keep_decoded: bool
    pairing: Pairing
    captions: np.ndarray | None
    tokens: TokenRows | None
    labels: np.ndarray | None
    vectors: CaptionVectors | None
    faithfulness: np.ndarray | None
    probe: ProbeRows | None
    work: Path
    device: str
    threads: int
    workers: int
    study: str = ""
    run: str = ""
    __pydantic_config__ = ConfigDict(arbitrary_types_allowed=True)

    @cached_property
    def order(self) -> Order:
        """Order of training."""
        return Order(len(self.pairing), self.settings.batch_size, self.settings.seed)

    @cached_property
    def schedule(self) -> Schedule:
        """Length and checkpoints in steps."""
        return schedule(self.settings, len(self.pairing))

    @property
    def local(self) -> int:
        """Processes on each node."""
        return self.settings.processes // self.settings.nodes


def weights_name(checkpoint: str) -> str:
    """File name of a kept checkpoint's backbone: ``last.safetensors``, ``step-000200.safetensors``."""
    return f"{checkpoint}.safetensors"


def write_plan(plan: Plan, path: Path) -> None:
    """Write ``plan`` to ``path`` (npz of plain arrays, all else as JSON in one of them)."""
    arrays: dict[str, np.ndarray] = {}

    def plain(value: np.ndarray | TarImages | Path) -> Any:
        if isinstance(value, np.ndarray):
            arrays[name := f"array{len(arrays)}"] = value
            return {"array": name}
        return value.__getstate__() if isinstance(value, TarImages) else str(value.absolute())

    text = json.dumps(TypeAdapter(Plan).dump_python(plan), default=plain)
    with path.open("wb") as file:
        np.savez(file, plan=np.frombuffer(text.encode(), np.uint8), **arrays)  # type: ignore[arg-type] # no flag


def read_plan(path: Path) -> Plan:
    """The plan that :func:`write_plan` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)

    def whole(value: dict[str, Any]) -> Any:
        if value.keys() == {"array"}:
            return arrays[value["array"]]
        return TarImages(**{**value, "tars": map(Path, value["tars"])}) if "tars" in value else value

    return TypeAdapter(Plan).validate_python(json.loads(arrays["plan"].tobytes(), object_hook=whole))


def calibrated(plan: Plan) -> tuple[Plan, dict[str, float]]:
    """The run with the settings to train with, and what ``run.json`` says of those that follow from captions.

    Raises:
        PipelineError: the method finds none, or there are fewer images than a batch takes.
    """
    settings, vectors = plan.settings, plan.vectors
    objective = METHODS[settings.method].objective
    if objective is None or objective.calibrate is None or vectors is None:
        return plan, {}
    sample = [vectors[plan.order.positions(step)] for step in range(1, SAMPLED + 1)]
    head, facts = objective.calibrate(settings.head, sample)
    return replace(plan, settings=settings.model_copy(update={settings.method: head})), facts


def learned_rows(plan: Plan) -> tuple[dict[Signal, Any], Sizes]:
    """Each signal that the method of ``plan`` learns from, and the sizes that heads depend on."""
    given = {"tokens": plan.tokens, "caption_ids": plan.captions, "vectors": plan.vectors, "labels": plan.labels}
    rows = {signal: given[signal] for signal in METHODS[plan.settings.method].learns}
    sizes = Sizes()
    if plan.tokens is not None:
        text = plan.tokens.sizes
        sizes = sizes._replace(vocabulary=text.vocabulary, end=text.end, context=text.context)
    if plan.vectors is not None:
        sizes = sizes._replace(vectors=plan.vectors.width)
    if plan.labels is not None:
        sizes = sizes._replace(labels=int(plan.labels.max()) + 1)
    return rows, sizes
