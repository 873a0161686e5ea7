"""The input artifacts of a report, by input name, and how the page cites them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.shards import images_of_keys
from workflow_scripts.reporting.provenance import ArtifactIndex, Record, Source
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.thumbnails import figure, thumbnail

Row = dict[str, Any]
THUMBNAIL = 160  # longer side in pixels
FIGURE_WIDTH = 1100  # at most, in pixels


def label(artifact: Artifact) -> str:
    """`<stage>/<name>`: the artifact's path relative to the study's folder, without suffix."""
    return f"{artifact.manifest['stage']}/{artifact.name}"


def record(artifact: Artifact) -> Record:
    """The artifact for citation."""
    return Record(label(artifact), artifact.hash, artifact.manifest)


class Study:
    """Inputs by name, settings, and the index of the artifacts that the page cites.

    Args:
        scores: the judges' scores, which can be thousands of artifacts; the page cites those of shown captions.
    """

    def __init__(
        self, given: Mapping[str, Sequence[Artifact]], settings: Report, scores: Sequence[Artifact] = ()
    ) -> None:
        self.given, self.settings, self.scores = given, settings, scores
        self.index = ArtifactIndex([record(artifact) for artifacts in given.values() for artifact in artifacts])
        self._runs: dict[str, Row] | None = None

    def all(self, name: str) -> Sequence[Artifact]:
        """The input artifacts named `name`, possibly none."""
        return self.given.get(name, ())

    def one(self, name: str) -> Artifact | None:
        """The first input artifact named `name`, or None."""
        artifacts = self.all(name)
        return artifacts[0] if artifacts else None

    def source(self, artifact: Artifact, suffix: str) -> Source:
        """How the page cites a file of an artifact."""
        self.index.add(record(artifact))
        return self.index.source(label(artifact), suffix)

    def table(self, artifact: Artifact, suffix: str = ".parquet") -> list[Row]:
        """All rows of a small table."""
        return list(pq.read_table(artifact.path(suffix)).to_pylist())

    def json(self, artifact: Artifact, suffix: str = ".json") -> Any:
        """A JSON file of an artifact."""
        return json.loads(artifact.path(suffix).read_bytes())

    def figure(self, artifact: Artifact, title: str) -> Row | None:
        """A stored PNG as the page's template takes it, or None when the artifact has none."""
        if not artifact.has(".png"):
            return None
        address, width, height = figure(artifact.path(".png").read_bytes(), FIGURE_WIDTH)
        shape = {"address": address, "width": width, "height": height}
        return {"title": title, **shape, "source": self.source(artifact, ".png")}

    def thumbnails(self, keys: Sequence[str]) -> dict[str, str]:
        """key -> data: address, for the keys that the image index has."""
        index = self.one("images")
        if index is None or not keys:
            return {}
        images, at = images_of_keys(index, keys)
        return {key: thumbnail(images.image(row), THUMBNAIL) for key, row in at.items()}

    @property
    def runs(self) -> dict[str, Row]:
        """run -> method, pairs, augmentation, seed, as the summary has them."""
        if self._runs is None:
            summary = self.one("summary")
            rows = [] if summary is None else self.table(summary)
            self._runs = {row["run"]: row for row in rows}
        return self._runs

    def method_and_pairs(self, run: str) -> tuple[str, str]:
        """Method and pairs of a run; from its name (`<method>-<pairs>-…`) if the summary does not list it."""
        if run in self.runs:
            return self.runs[run]["method"], self.runs[run]["pairs"]
        method, _, rest = run.partition("-")
        return method, rest.partition("-")[0]
