"""Which images a run, and the runs behind its pairs, learned from, by their keys."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.export.run import STAGE, recorded_settings
from workflow_scripts.pretraining.data.inputs import read_captions, read_common, read_labels, read_pairing
from workflow_scripts.pretraining.data.pairing import among, rows_of
from workflow_scripts.pretraining.method import LabelSettings
from workflow_scripts.provenance.nodes import Node, inputs_of


def learned_keys(behind: Mapping[Path, Node]) -> list[str]:
    """Sorted keys of the images that a run trained on, as a source or a partner of a pair; none of an untrained one.

    Included are those of other runs whose networks are encoders of its pairs. Images with an empty caption are listed
    too where a method learns from vectors of captions, which leaves them out.

    Args:
        behind: the run and all that it was made from, by path.

    Raises:
        PipelineError: an input is missing or damaged, or settings of a run are refused now.
    """
    return sorted(set().union(*(_own(node, behind) for node in behind.values() if node.stage == STAGE)))


def _own(run: Node, known: Mapping[Path, Node]) -> set[str]:
    inputs = {one.name: one.path for one in inputs_of(run, known) if one.path is not None}
    settings = recorded_settings(run)
    if not settings.trains or "images" not in inputs:
        return set()
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
    return set(keys.take(used).to_pylist())
