"""The first screen: what the study asks, the answers, and the primary contrasts beside their controls."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflow_scripts.core.declaration.result_names import PROBE
from workflow_scripts.reporting.answers import Answer, answers, notes
from workflow_scripts.reporting.drawings import Dot
from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.sections.contrasts import Named, Shown, dot, forest, none_named, titles
from workflow_scripts.reporting.study import Study
from workflow_scripts.reporting.terms import CEILINGS, FLOORS, Words

Row = dict[str, Any]
UNITS = "Points are percentage points; brackets hold 95 % intervals."
CAPTIONS = {
    "original": "original captions came with the images",
    "generated": "generated ones were written by a captioning model",
    "revised": "a revised one is the original or a generated one, whichever fits the image better",
    "shuffled": "shuffled ones belong to other images",
}
"""What usual names of arms stand for."""


def answer(study: Study, contrasts: Sequence[Named], listed: Sequence[Row], rows: Sequence[Row]) -> Row:
    """What the template takes.

    Args:
        contrasts: those shown.
        listed: rows of all contrasts.
        rows: those of the summary.
    """
    found = answers(contrasts, rows, study.settings)
    asked = "; and whether ".join(dict.fromkeys(one.question for one in found))
    return {
        "question": f"{setting(rows, Words(study.settings))}This study asks whether {asked}." if asked else "",
        "captions": captions_of(asked),
        "answers": [(one.text, one.verdict) for one in found]
        or [(none_named(listed, study.settings.headline_step), "")],
        "notes": [*([UNITS] if found else []), *notes(found, listed)],
        "figure": primary_figure(found, contrasts, rows, Words(study.settings)),
    }


def setting(rows: Sequence[Row], words_of: Words) -> str:
    """What a reader must know to understand the question; empty if no run has pairs by captions."""
    if "language" not in {words_of.role(row["method"], row["pairs"]) for row in rows}:
        return ""
    probed = "; a linear classifier of what they learned (linear probe) measures how well they tell classes apart"
    told = any(row["metric"].startswith(PROBE) for row in rows)
    return f"Networks learn without labels from pairs of images with similar captions{probed if told else ''}. "


def captions_of(asked: str) -> str:
    """What the captions in a question are; empty if it names none of the usual ones."""
    told = "; ".join(text for name, text in CAPTIONS.items() if name in asked.split())
    return f"{told[:1].upper()}{told[1:]}." if told else ""


def primary_figure(
    found: Sequence[Answer], contrasts: Sequence[Named], rows: Sequence[Row], words_of: Words
) -> Figure | None:
    """The primary contrasts in points and, below each, others of its first side under the same measure."""
    runs, names = {row["run"]: row for row in rows}, titles(contrasts)
    every = [one for contrast in contrasts for one in contrast.shown]
    dots: dict[int, Dot] = {}
    measures = set()
    for one in found:
        first = one.rows[0]
        like = [
            other
            for other in every
            if not other.row["primary"] and other.row["plus"] and all(
                other.row[key] == first.row[key] for key in ("plus", "metric", "dataset")
            )
        ]  # fmt: skip
        for shown in (first, *like):
            if shown.measure.scale == 100 and shown.row["difference"] is not None:
                measures.add(shown.measure.title)
                dots.setdefault(shown.at, dot(shown, names[shown.at] + bound(shown, runs, words_of)))
    if not dots:
        return None
    controls = any(one.css == "soft" for one in dots.values())
    what = "Primary contrasts and, in grey, controls" if controls else "Primary contrasts"
    title = f"{what}, with 95 % intervals; right of 0, the side before the minus sign is better"
    return forest("primary", title, list(dots.values()), measures)


def bound(shown: Shown, runs: Mapping[str, Row], words_of: Words) -> str:
    """Whether what is subtracted is a floor or a ceiling of the others."""
    of = [runs.get(one.rpartition(".")[0]) for one in shown.row["minus"].split()]
    roles = {words_of.role(row["method"], row["pairs"]) for row in of if row is not None}
    if not roles:
        return ""
    return ", floor" if roles <= {*FLOORS} else ", ceiling" if roles <= {*CEILINGS} else ""
