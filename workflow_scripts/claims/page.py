"""The page of claims and docs/evidence.md: for each claim a sentence, a figure, a table, the command and the limits."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.claims.catalogue import CLAIMS, SCALES, Claim, Part
from workflow_scripts.claims.findings import Found, Row
from workflow_scripts.claims.sentences import needed, number, sentence
from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.declaration.result_names import PROBE, UNTRAINED
from workflow_scripts.evaluation.contrasts.verdicts import INCONCLUSIVE
from workflow_scripts.reporting.drawings import Axis, Curve, Dot, Panel, curve_figure, dot_figure, dot_of
from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.page import computation, environment, render
from workflow_scripts.reporting.sections.contrasts import shown_p
from workflow_scripts.reporting.sections.headline import arms
from workflow_scripts.reporting.tables import stem
from workflow_scripts.reporting.text import arm_class, minus

TEMPLATES = Path(__file__).parent / "templates"
Studies = Mapping[tuple[str, str], Sequence[Found]]
"""Finished studies by claim and scale."""


def html(studies: Studies) -> bytes:
    """The page as UTF-8."""
    return render("claims.html", {"claims": _context(studies)}, TEMPLATES)


def markdown(studies: Studies) -> bytes:
    """The same without figures, as Markdown."""
    template = environment(TEMPLATES).overlay(autoescape=False).get_template("evidence.md")
    return template.render(claims=_context(studies)).encode()


def _context(studies: Studies) -> list[dict[str, Any]]:
    return [
        {
            "name": claim.name,
            "question": claim.question,
            "limits": claim.limits,
            "scales": [
                _scale(claim, scale, studies[claim.name, scale]) for scale in SCALES if studies.get((claim.name, scale))
            ],
        }
        for claim in CLAIMS
    ]


def _scale(claim: Claim, scale: str, studies: Sequence[Found]) -> dict[str, Any]:
    found = [(study, part, row) for study in studies for part in claim.parts for row in study.primary(part.contrast)]
    return {
        "name": scale,
        "sentence": sentence(claim, scale, studies),
        "figures": [
            *_forests(f"{claim.name} {scale}".lower(), found),
            *(figure for study in studies for figure in _curves(claim, study)),
        ],
        "rows": [_row(study, part, row) for study, part, row in found],
        "open": [line for study in studies for line in _open(claim, study)],
        "studies": [{"name": study.name, "root": study.root, "commit": study.commit} for study in studies],
    }


def _row(study: Found, part: Part, row: Row) -> dict[str, str]:
    return {
        "study": study.name,
        "contrast": minus(row["contrast"]),
        "measure": row["metric"],
        "number": number(part, row),
        "unit": part.unit,
        "n": f"{row['n']} images" if row["level"] == "image" else f"{row['n']} seeds",
        "steps": study.steps(row),
        "p": shown_p(row["p_adjusted"]),
        "verdict": row["verdict"],
        "reason": row["reason"],
    }


def _forests(name: str, found: Sequence[tuple[Found, Part, Row]]) -> list[Figure]:
    """For each unit, a figure of the primary contrasts with their intervals."""
    by_unit: dict[str, list[Dot]] = {}
    for study, part, row in found:
        if row["difference"] is not None:
            metric = row["metric"]
            objective = f", {metric.split('.')[1]}" if metric.startswith(PROBE) else ""
            label = f"{study.name.partition('-')[2].partition('-')[2]}: {minus(row['contrast'])}{objective}"
            by_unit.setdefault(part.unit, []).append(
                dot_of(label, row | {"value": row["difference"]}, part.scale, "arm-revised")
            )
    title, alt = "Primary contrasts", "Primary contrasts with 95 % intervals and a line at zero."
    return [
        dot_figure(stem(f"{name} contrasts {number}"), title, alt, [Panel("", unit, rows, zero=True)])
        for number, (unit, rows) in enumerate(by_unit.items())
    ]


def _curves(claim: Claim, study: Found) -> list[Figure]:
    """For each slope over pair tables, mean accuracy along its line; other arms of its length are level."""
    measured = [(arm, probe.value) for arm in arms(study.rows) if (probe := arm.estimates["probe"]) is not None]
    drawn: list[Figure | None] = []
    for part in claim.parts:
        places, rows = study.places(part.contrast), study.primary(part.contrast)
        tags = {row["tag"] for row in rows}
        on_line: dict[float, list[float]] = {}
        for arm, value in measured:
            if arm.pairs in places and arm.tag in tags:
                on_line.setdefault(places[arm.pairs], []).append(value)
        if not on_line or rows[0]["level"] != "joint":
            continue
        x = sorted(on_line)
        y = [100 * math.fsum(on_line[at]) / len(on_line[at]) for at in x]
        level = [
            Curve(f"{arm.pairs}, {arm.method}", arm_class(arm.pairs), (x[0], x[-1]), (100 * value, 100 * value))
            for arm, value in measured
            if arm.pairs not in places and (arm.tag in tags or arm.method == UNTRAINED)
        ]
        curves = [Curve("language pairs", "arm-revised", x, y), *level]
        alt = "Accuracy of the linear probe with language pairs along the line; arms beside it are level."
        name, axis = stem(f"{study.name} {len(drawn)}"), Axis(part.contrast.partition(" over ")[2], "linear probe, %")
        drawn.append(curve_figure(name, minus(part.contrast), alt, axis, curves))
    return [figure for figure in drawn if figure is not None]


def _open(claim: Claim, study: Found) -> list[str]:
    """For each open primary contrast of runs, the trainings that would decide it."""
    said, wanted = [], study.smallest_effect
    for part in claim.parts:
        rows = [row for row in study.primary(part.contrast) if row["verdict"] == INCONCLUSIVE]
        contrast = study.settings.get(part.contrast)
        # of a slope, the smallest effect of interest is over the range of its line
        least = wanted / contrast.span if wanted and contrast is not None else wanted
        arms = len(study.places(part.contrast))
        figures = [one for row in rows if least and (one := needed(row, least / 100, arms))]
        if not figures:
            continue
        seeds, trainings = max(figures)
        if seeds == math.inf:
            why = "classes and images alone leave more than that uncertain"
            finds = f"no number of seeds would find an effect of {least:.3g} {part.unit}, since {why}"
        else:
            more = f"{trainings} more trainings{_hours(study, trainings)}"
            effect = f"an effect of {least:.3g} {part.unit} would be found in 80 % of studies"
            finds = f"with {seeds} seeds, {more}, {effect}"
        said.append(f"{study.name}, {minus(part.contrast)}: {finds}.")
    return said


def _hours(study: Found, trainings: float) -> str:
    """What so many trainings would take, by the mean of the study's own; empty if their records do not say."""
    records = [computation(Artifact(path)) for path in sorted(study.folder.glob(f"pretrain/*{MANIFEST}"))]
    hours = [
        record["figures"]["work_seconds"] * record["settings"].get("processes", 1) / 3600
        for record in records
        if record.get("figures", {}).get("work_seconds") and record["settings"].get("method") != UNTRAINED
    ]
    if not hours:
        return ""
    unit = "GPU hours" if records[0].get("environment", {}).get("device") == "cuda" else "core hours"
    return f" ({trainings * math.fsum(hours) / len(hours):.3g} {unit})"
