"""What a finished study found on its primary contrasts, read from its summary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN, Artifact, command_for
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.contrasts.settings import Contrast
from workflow_scripts.provenance.nodes import load, study_root
from workflow_scripts.reporting.crossing import Signed

Row = dict[str, Any]
MIXTURE: tuple[Signed, ...] = (
    (-1, "original - shuffled"),
    (-1, "original - (generated + shuffled) / 2"),
    (1, "generated - original"),
)
"""Contrasts of mixtures of shuffled and generated captions with titles: how faithful these are, as a judge sees it."""


@dataclass(frozen=True)
class Found:
    """A finished study.

    Attributes:
        rows: of its summary.
        contrasts: rows of its contrasts as :func:`counted` gives them.
        settings: the contrasts as its config lists them, by name.
        root: its root hash; empty if an artifact behind its report is missing.
        commit: of the code that made the summary; empty if unknown.
        smallest_effect: of interest, in points, if its config states one.
    """

    name: str
    folder: Path
    rows: Sequence[Row]
    contrasts: Sequence[Row]
    settings: Mapping[str, Contrast]
    root: str
    commit: str
    smallest_effect: float | None = None

    def primary(self, contrast: str) -> list[Row]:
        """The rows of a primary contrast with its verdict, one for each objective of the linear probe."""
        return [row for row in self.contrasts if row["contrast"] == contrast and row["primary"] and row["verdict"]]

    def places(self, contrast: str) -> dict[str, float]:
        """Of a slope over pair tables, where each is on the line; empty for other contrasts."""
        terms = self.settings[contrast].terms if contrast in self.settings else ()
        return {term.pairs: term.at for term in terms if term.at is not None and term.pairs}

    def steps(self, row: Row) -> str:
        """The lengths of the trainings that a row compares, such as "400 steps"; empty for figures without runs."""
        runs = {checkpoint.rpartition(".")[0] for side in ("plus", "minus") for checkpoint in row[side].split()}
        lengths = sorted({one["trained_steps"] for one in self.rows if one["run"] in runs and one["trained_steps"]})
        return f"{' and '.join(f'{length:,}' for length in lengths)} steps" if lengths else ""


def counted(contrasts: Sequence[Row]) -> list[Row]:
    """Rows of contrasts at the level that counts; of runs, with half the width of their interval over images."""
    line = itemgetter("contrast", "method", "augmentation", "backbone", "tag", "step", "dataset", "metric")
    images = {
        line(row): (row["high"] - row["low"]) / 2
        for row in contrasts
        if row["level"] == "image" and row["low"] is not None
    }
    return [row | {"half_without_seeds": images.get(line(row), 0.0)} for row in contrasts if row["verdict"]]


def read(folder: Path) -> Found | None:
    """A study's findings; None if it has no summary yet.

    Raises:
        PipelineError: its summary or a run record is unreadable.
    """
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.foreign import readable
    from workflow_scripts.reporting.page import computation

    manifest = folder / "summary" / f"summary{MANIFEST}"
    if not manifest.exists():
        return None
    summary = Artifact(manifest)
    with readable("unreadable summary", manifest, f"recompute it with {command_for(manifest)}"):
        rows, contrasts = (
            pq.read_table(summary.path(suffix)).to_pylist() for suffix in (".parquet", ".contrasts.parquet")
        )
    root, _ = study_root(load(folder))
    made = computation(summary)
    try:
        listed = [Contrast.model_validate(one) for one in made.get("settings", {}).get("contrasts", ())]
        settings = {contrast.name: contrast for contrast in listed}
        commit = str((made.get("git") or {}).get("commit") or "")
    except (AttributeError, TypeError, ValueError) as error:
        where, advice = folder / "summary" / f"summary{RUN}", f"recompute it with {command_for(manifest)}"
        raise PipelineError("damaged run record", where, error, advice) from None
    return Found(folder.name, folder, rows, counted(contrasts), settings, root or "", commit)
