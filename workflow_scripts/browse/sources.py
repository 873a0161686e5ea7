"""What a study has to browse: images, captions of its arms, scores, and pair tables."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow.parquet as pq

from workflow_scripts.core.artifact import MANIFEST, Artifact, label_of
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import digest

FORMAT = 1  # of the index; raise it when an index that exists would be read wrongly or show something else
MATCHER = ("itm", "itc")  # scores that the tables of arms hold


@dataclass(frozen=True)
class Sources:
    """The artifacts of a study that the browser shows.

    Attributes:
        images: the ``image_index``.
        arms: arm -> ``select_captions``.
        scores: ``score_captions`` of these arms, a block of shards each.
        pairs: name -> ``pair_table``.
    """

    study: Path
    images: Artifact
    arms: dict[str, Artifact]
    scores: list[Artifact]
    pairs: dict[str, Artifact]

    @cached_property
    def inputs(self) -> dict[str, str]:
        """``<stage>/<name>`` -> manifest hash of every artifact."""
        every = [self.images, *self.arms.values(), *self.scores, *self.pairs.values()]
        return {label_of(one.manifest_path): one.hash for one in every}

    @cached_property
    def key(self) -> str:
        """Digest of everything that determines the index."""
        return digest({"format": FORMAT, "inputs": self.inputs})


def sources_of(study: Path) -> Sources:
    """The study's sources.

    Raises:
        PipelineError: it has no image index or no captions yet, or a manifest is damaged.
    """
    images = Artifact(study / "image_index" / f"images{MANIFEST}")
    arms = _named(study / "select_captions")
    if not arms:
        raise PipelineError("no captions", study / "select_captions", "no arm", "run snakemake first")
    scores = [one for one in _named(study / "score_captions").values() if one.unit.get("arm") in arms]
    return Sources(study, images, arms, scores, _named(study / "pair_table"))


def _named(folder: Path) -> dict[str, Artifact]:
    return {path.name.removesuffix(MANIFEST): Artifact(path) for path in sorted(folder.glob(f"*{MANIFEST}"))}


def score_columns(table: Path) -> list[str]:
    """The columns of a table of ``score_captions`` with scores of an image's own caption, raw and standardised."""
    names = pq.read_schema(table).names
    raw = [name for name in names if f"{name}_random" in names and not name.endswith("_z")]
    return [column for name in raw for column in (name, f"{name}_z") if column in names]
