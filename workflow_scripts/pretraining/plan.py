"""Everything a training process needs, in a form that can be sent to it."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.core.settings.pretrain import Pretrain
from workflow_scripts.core.shards import TarImages
from workflow_scripts.pretraining.pairing import Pairing
from workflow_scripts.pretraining.probing import ProbeRows

OUTCOME = "outcome.json"


def decoded_bytes(index: pa.Table) -> int:
    """Bytes that the images of an index (columns width, height) take as uint8 RGB."""
    return 3 * int(pc.sum(pc.multiply(index["width"].cast("int64"), index["height"].cast("int64"))).as_py() or 0)


@dataclass(frozen=True)
class Plan:
    """A run that is to be trained.

    Attributes:
        settings: of the run.
        images: images of the study, in index order.
        keep_decoded: whether decoded images stay in memory.
        pairing: positive pairs.
        captions: text of each of ``pairing.sources`` (CLIP), else None.
        probe: labelled images of the online probe, or None.
        work: folder for checkpoints and for what is made.
        device: ``cpu`` or ``cuda``.
        threads: math threads of each process.
        workers: threads of each process that prepare batches.
    """

    settings: Pretrain
    images: TarImages
    keep_decoded: bool
    pairing: Pairing
    captions: list[str] | None
    probe: ProbeRows | None
    work: Path
    device: str
    threads: int
    workers: int


def weights_name(step: int | str) -> str:
    """File name of an evaluated step's backbone: ``last.safetensors``, ``step-000200.safetensors``."""
    return f"step-{step:06d}.safetensors" if isinstance(step, int) else f"{step}.safetensors"
