"""What a study has to browse: images, captions of its arms, scores, and pair tables."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow.parquet as pq

from workflow_scripts.core.artifact import MANIFEST, RUN, Artifact, label_of
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import digest, read_json

FORMAT = 2  # of the index; raise it when an index that exists would be read wrongly or show something else
MATCHER = ("itm", "itc")  # scores that the tables of arms hold


@dataclass(frozen=True)
class Sources:
    """The artifacts of a study that the browser shows.

    Attributes:
        images: the ``image_index``.
        arms: arm -> ``select_captions``.
        scores: ``score_captions`` of these arms, a block of shards each.
        outdated: ``<stage>/<name>`` of scores of earlier captions or images, which the folder may hold too.
        pairs: name -> ``pair_table``.
    """

    study: Path
    images: Artifact
    arms: dict[str, Artifact]
    scores: list[Artifact]
    outdated: list[str]
    pairs: dict[str, Artifact]

    @cached_property
    def inputs(self) -> dict[str, str]:
        """``<stage>/<name>`` -> manifest hash of every artifact."""
        every = [self.images, *self.arms.values(), *self.scores, *self.pairs.values()]
        return {label_of(one.manifest_path): one.hash for one in every}

    @cached_property
    def key(self) -> str:
        """Digest of everything that determines the index."""
        return digest({"format": FORMAT, "inputs": self.inputs, "outdated": self.outdated})


def sources_of(study: Path) -> Sources:
    """The study's sources.

    Raises:
        PipelineError: it has no image index or no captions yet, or a manifest is damaged.
    """
    images = Artifact(study / "image_index" / f"images{MANIFEST}")
    arms = _named(study / "select_captions")
    if not arms:
        raise PipelineError("no captions", study / "select_captions", "no arm", "run snakemake first")
    scores: list[Artifact] = []
    outdated = []
    for one in _named(study / "score_captions").values():
        arm = arms.get(one.unit.get("arm", ""))
        if arm is not None and _made_from(one, captions=arm, images=images):
            scores.append(one)
        elif arm is not None:
            outdated.append(label_of(one.manifest_path))
    return Sources(study, images, arms, scores, outdated, _named(study / "pair_table"))


def compared_arm(pairs: Artifact) -> str | None:
    """The arm whose captions a pair table compares; None: it compares images."""
    vectors = [Path(path) for path in _recorded(pairs, "input_files").get("vectors", [])]
    return next((path.name.partition(".")[0] for path in vectors if path.parent.name == "embed_captions"), None)


def _made_from(artifact: Artifact, **inputs: Artifact) -> bool:
    """Whether the artifact's run record names these inputs as they are now."""
    found = _recorded(artifact, "inputs")
    return all(found.get(name) == [one.hash] for name, one in inputs.items())


def _recorded(artifact: Artifact, field: str) -> dict[str, list[str]]:
    record = read_json(artifact.manifest_path.with_name(artifact.name + RUN), "rerun the workflow")
    found = record.get(field) if isinstance(record, dict) else None
    return found if isinstance(found, dict) else {}


def _named(folder: Path) -> dict[str, Artifact]:
    return {path.name.removesuffix(MANIFEST): Artifact(path) for path in sorted(folder.glob(f"*{MANIFEST}"))}


def score_columns(table: Path) -> list[str]:
    """The columns of a table of ``score_captions`` with scores of an image's own caption, raw and standardised."""
    names = pq.read_schema(table).names
    raw = [name for name in names if f"{name}_random" in names and not name.endswith("_z")]
    return [column for name in raw for column in (name, f"{name}_z") if column in names]
