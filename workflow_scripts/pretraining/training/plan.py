"""Everything that a training process needs, in a form that can be passed to it as a file."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.core.shards import TarImages
from workflow_scripts.pretraining.data.caption_vectors import CaptionVectors
from workflow_scripts.pretraining.data.loader import Order, Rows
from workflow_scripts.pretraining.data.pairing import Pairing
from workflow_scripts.pretraining.data.token_rows import TokenRows, TokenSizes
from workflow_scripts.pretraining.method import Signal, Sizes
from workflow_scripts.pretraining.monitor.probing import ProbeRows
from workflow_scripts.pretraining.schedule import Schedule, schedule
from workflow_scripts.pretraining.settings import METHODS, Pretrain

OUTCOME = "outcome.json"
# Fields that are arrays, in the order in which their classes take them.
IMAGES, PAIRING, PROBE, TOKENS = (
    ("tar", "offset", "size", "sha256"),
    ("sources", "starts", "targets"),
    ("labels", "bank", "queries"),
    ("starts", "lengths"),
)

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
    words: dict[str, Any] = {
        "settings": plan.settings.model_dump(mode="json"),
        "keep_decoded": plan.keep_decoded,
        "work": str(plan.work.absolute()),
        "device": plan.device,
        "threads": plan.threads,
        "workers": plan.workers,
        "study": plan.study,
        "run": plan.run,
    }
    arrays = {name: getattr(plan.pairing, name) for name in PAIRING}
    if plan.captions is not None:
        arrays["captions_of_sources"] = plan.captions
    if plan.labels is not None:
        arrays["labels_of_sources"] = plan.labels
    if plan.tokens is not None:
        words["tokens"] = {"path": str(plan.tokens.path.absolute()), "sizes": plan.tokens.sizes}
        arrays |= {f"tokens.{name}": getattr(plan.tokens, name) for name in TOKENS}
    if plan.faithfulness is not None:
        arrays["faithfulness"] = plan.faithfulness
    if plan.vectors is not None:
        words["vectors"] = str(plan.vectors.path.absolute())
        arrays["rows_of_vectors"] = plan.vectors.rows
    shown = {"images": plan.images}
    if plan.probe is not None:
        shown["probe"] = plan.probe.images
        arrays |= {name: getattr(plan.probe, name) for name in PROBE}
    for name, images in shown.items():
        words[name] = [str(tar.absolute()) for tar in images.tars]
        arrays |= {f"{name}.{part}": getattr(images, part) for part in IMAGES}
    text = np.frombuffer(json.dumps(words).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez(file, words=text, **arrays)


def read_plan(path: Path) -> Plan:
    """The plan that :func:`write_plan` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    words = json.loads(arrays["words"].tobytes())
    shown = {
        name: TarImages([Path(tar) for tar in words[name]], *(arrays[f"{name}.{part}"] for part in IMAGES))
        for name in ("images", "probe")
        if name in words
    }
    probe = ProbeRows(shown["probe"], *(arrays[name] for name in PROBE)) if "probe" in shown else None
    tokens = None
    if "tokens" in words:
        at, sizes = Path(words["tokens"]["path"]), TokenSizes(*words["tokens"]["sizes"])
        tokens = TokenRows(at, sizes, *(arrays[f"tokens.{name}"] for name in TOKENS))
    return Plan(
        settings=Pretrain.model_validate(words["settings"]),
        images=shown["images"],
        keep_decoded=words["keep_decoded"],
        pairing=Pairing(*(arrays[name] for name in PAIRING)),
        captions=arrays.get("captions_of_sources"),
        tokens=tokens,
        labels=arrays.get("labels_of_sources"),
        vectors=CaptionVectors(Path(words["vectors"]), arrays["rows_of_vectors"]) if "vectors" in words else None,
        faithfulness=arrays.get("faithfulness"),
        probe=probe,
        work=Path(words["work"]),
        device=words["device"],
        threads=words["threads"],
        workers=words["workers"],
        study=words["study"],
        run=words["run"],
    )


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


def learned_rows(plan: Plan) -> tuple[dict[Signal, Rows], Sizes]:
    """Each signal that the method of ``plan`` learns from, and the sizes that heads depend on."""
    learns = METHODS[plan.settings.method].learns
    rows: dict[Signal, Rows] = {}
    sizes = Sizes()
    if "tokens" in learns:
        assert plan.tokens is not None
        rows["tokens"], text = plan.tokens, plan.tokens.sizes
        sizes = sizes._replace(vocabulary=text.vocabulary, end=text.end, context=text.context)
    if "caption_ids" in learns:
        assert plan.captions is not None
        rows["caption_ids"] = plan.captions.__getitem__
    if "vectors" in learns:
        assert plan.vectors is not None
        rows["vectors"] = plan.vectors.__getitem__
        sizes = sizes._replace(vectors=plan.vectors.width)
    if "labels" in learns:
        assert plan.labels is not None
        rows["labels"] = plan.labels.__getitem__
        sizes = sizes._replace(labels=int(plan.labels.max()) + 1)
    return rows, sizes
