"""Which images a run learned from, by their keys."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.pretraining.data.inputs import read_captions, read_common, read_labels, read_pairing
from workflow_scripts.pretraining.data.pairing import among, rows_of
from workflow_scripts.pretraining.method import LabelSettings
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.provenance.nodes import Node, inputs_of


def learned_keys(run: Node, known: Mapping[Path, Node]) -> list[str]:
    """Sorted keys of the images that a run trained on, as a source or a partner of a pair; none of an untrained one.

    Images with an empty caption are listed too where a method learns from vectors of captions, which leaves them out.

    Args:
        known: artifacts that were read already, by path.

    Raises:
        PipelineError: an input is missing or damaged.
    """
    inputs = {one.name: one.path for one in inputs_of(run, known) if one.path is not None}
    settings = Pretrain.model_validate((run.record or {})["settings"])
    if not settings.trains or "images" not in inputs:
        return []
    keys = pq.read_table(Artifact(inputs["images"]).path(".parquet"), columns=["key"])["key"]
    if isinstance(settings.head, LabelSettings):
        pairing, _ = read_labels(settings.head.label, keys, Artifact(inputs["truth"]).path(".truth.parquet"))
    else:
        paired = Artifact(inputs["pairs"]).path(".parquet") if "pairs" in settings.inputs else None
        pairing = read_pairing(settings, keys, paired)
    if "captions" in settings.inputs:
        pairing, _ = read_captions(pairing, keys, Artifact(inputs["captions"]).path(".parquet"))
    if "tokens" in settings.inputs:
        path = Artifact(inputs["tokens"]).path(".parquet")
        captioned = pq.read_table(path, columns=["key", "tokens"], filters=[("tokens", ">", 0)])["key"]
        pairing, _ = among(pairing, rows_of(keys, captioned, path))
    if "common" in inputs:
        pairing, _ = read_common(pairing, keys, Artifact(inputs["common"]).path(".parquet"))
    used = np.union1d(pairing.sources, pairing.targets)
    return sorted(keys.take(used).to_pylist())
