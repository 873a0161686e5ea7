"""The whole page's context: every section, the counts in its head, and the table of artifacts."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.key import root_hash
from workflow_scripts.reporting.methods import as_text, cited, counts_of, paragraphs, runs_table, settings_table
from workflow_scripts.reporting.references import references
from workflow_scripts.reporting.sections.captions import captions
from workflow_scripts.reporting.sections.data import losses, pair_figures, pairs, pairs_behind, quality
from workflow_scripts.reporting.sections.figures.caption_figures import caption_figures
from workflow_scripts.reporting.sections.figures.curves import curves
from workflow_scripts.reporting.sections.figures.sweeps import sweeps
from workflow_scripts.reporting.sections.leakage import leakage
from workflow_scripts.reporting.sections.runs import accuracy, results
from workflow_scripts.reporting.sections.saliency import saliency
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Number, Study, label
from workflow_scripts.reporting.terms import SYNTHETIC
from workflow_scripts.reporting.text import count, words
from workflow_scripts.stats.intervals import LEVEL

Row = dict[str, Any]
CONTENTS = (
    ("runs", "What was trained", ("trained", "behind_pairs.lines")),
    ("contrasts", "Contrasts", ("contrasts",)),
    ("sweeps", "Sweeps", ("sweeps",)),
    ("losses", "Rows lost at each stage", ("losses.steps", "losses.states")),
    ("captions", "Examples of captions", ("captions.strata",)),
    (
        "caption-quality",
        "Caption quality",
        ("caption_quality.columns", "judge_quality.columns", "judge_comparison.columns"),
    ),
    ("caption-labels", "Caption ratings by people", ("caption_labels.columns",)),
    ("pair-quality", "Pair quality", ("pair_quality.columns",)),
    ("pairs", "Pairs side by side", ("pairs.sources",)),
    ("training", "Training curves", ("curves.figures", "curves.statistics")),
    ("accuracy", "Accuracy by dataset", ("accuracy.tables",)),
    ("leakage", "Test images among the study's images", ("leakage.lines",)),
    ("saliency", "Where the models look", ("saliency.places", "saliency.grid")),
    ("methods", "Methods", ("methods.paragraphs",)),
    ("provenance", "Provenance", ("root",)),
)
"""Anchor and title of each section, and what it shows: one without any of these is left out."""

COUNTED = (("arms", "caption arms"), ("pairs", "pair tables"), ("runs", "models"), ("datasets", "labelled sets"))


def page_context(
    given: Mapping[str, Sequence[Artifact]],
    settings: Report,
    behind: Sequence[Artifact],
    scores: Mapping[str, str],
    maps: Mapping[str, Row],
    figures: Mapping[str, Row],
    judged: Sequence[Artifact],
) -> Row:
    """What the template takes, from artifacts by input name.

    Args:
        behind: the study's other artifacts, scores among them; the page's root hash covers them.
        scores: what each saliency score means, by its name in tables.
        maps: what each kind of map in saliency tables is.
        figures: what each figure of captions says, by its name.
        judged: the judges' scores of captions.
    """
    study = Study(given, settings, judged)
    whole = {label(artifact): artifact.hash for artifact in [*behind, *(a for found in given.values() for a in found)]}
    sections = {
        "study": settings.study,
        "groups": settings.groups,
        "counts": study_counts(study),
        "root": root_hash(whole.items()),
        "behind": len(whole),
        "intervals": interval_note(settings.levels),
        "accepted": settings.accepted,
        **results(study),
        "sweeps": sweeps(study),
        "behind_pairs": pairs_behind(study),
        "synthetic": SYNTHETIC if any(artifact.manifest["stage"] == "demo_world" for artifact in behind) else "",
        "losses": losses(study),
        "captions": captions(study),
        "caption_figures": caption_figures(study, figures),
        "caption_quality": quality(study, "caption_quality", "arm"),
        "judge_quality": quality(study, "judge_quality", "judge"),
        "judge_comparison": quality(study, "judge_comparison", "arm"),
        "caption_labels": quality(study, "caption_labels", "labels"),
        "pair_quality": quality(study, "pair_quality", "pairs"),
        "pair_figures": pair_figures(study),
        "pairs": pairs(study),
        "curves": curves(study),
        "accuracy": accuracy(study),
        "leakage": leakage(study),
        "saliency": saliency(study, scores, maps),
        "methods": methods(study),
    }
    contents = [(anchor, title) for anchor, title, shown in CONTENTS if any(_held(sections, path) for path in shown)]
    return {**sections, "contents": contents, "artifacts": study.cited()}  # the last, since sections cite


def _held(sections: Row, path: str) -> Any:
    """What a section shows, such as ``losses.steps``."""
    name, _, part = path.partition(".")
    return sections[name].get(part) if part else sections[name]


def interval_note(levels: Mapping[str, float]) -> str:
    """The confidence level of the page's intervals, with the stages whose settings state another."""
    other = [f"{words(name)} ({100 * level:g} %)" for name, level in levels.items() if level != LEVEL]
    usual = f"{100 * LEVEL:g} % intervals"
    return f"Intervals are {usual}, except those of {', '.join(other)}." if other else f"All intervals are {usual}."


def study_counts(study: Study) -> list[tuple[str, Number]]:
    """Title and number of rows, arms, models and so on, each citing the artifact that it was read from."""
    found = []
    for name, title in (("annotations", "usable annotation rows"), ("images", "images")):
        artifact = study.one(name)
        if artifact is not None and artifact.rows:
            source = study.manifest(artifact)
            found.append((title, Number(count(int(artifact.rows["out"])), source=source, rows="rows out")))
    for name, title in COUNTED:
        if artifacts := study.all(name):
            source = study.manifest(artifacts[0])
            found.append((title, Number(count(len(artifacts)), source=source, rows=f"first of {len(artifacts)}")))
    return found


def methods(study: Study) -> Row:
    """How results were computed: paragraphs, tables of settings and of runs, and cited works."""
    known, summary = study.settings.methods, study.one("summary")
    contrasts = study.table(summary, ".contrasts.parquet") if summary is not None else ()
    text = paragraphs(study.settings, counts_of(study.of_stage, contrasts, study.alike))
    works = [references()[key] for key in cited(text)]
    return {
        "paragraphs": [(paragraph.title, as_text(paragraph.text)) for paragraph in text],
        "settings": settings_table(known),
        "runs": runs_table(known),
        "references": [f"{work.label}: {work.title}{f', {work.url}' if work.url else ''}" for work in works],
    }
