"""One sentence for each claim and scale, by rule from the verdicts of its studies' primary contrasts."""

import math
from collections.abc import Sequence

from workflow_scripts.claims.catalogue import SCALES, Claim, Part
from workflow_scripts.claims.findings import MIXTURE, Found, Row
from workflow_scripts.evaluation.contrasts.verdicts import CONTRADICTED, INCONCLUSIVE, SUPPORTED
from workflow_scripts.reporting.crossing import Crossing, crossings, overtakes

CAPTIONER = "captioner"
"""Begins the second part of the name of a study with another captioner, such as `c2-captioner50`."""


def sentence(claim: Claim, scale: str, studies: Sequence[Found]) -> str:
    """What was found of a claim at a scale."""
    told = [clause for study in studies for clause in clauses(claim, study)]
    if not told:
        return f"{SCALES[scale]}, there is no result yet."
    found = f"{SCALES[scale]}, {'; '.join(told)}."
    if scale != "demo":
        return found
    built_in = f"has this built in: {claim.built_in}" if claim.built_in else "was not designed for this"
    return f"{found} The world {built_in}."


def clauses(claim: Claim, study: Found) -> list[str]:
    """What one study says of the claim."""
    found = [_clause(part, study, rows) for part in claim.parts if (rows := study.primary(part.contrast))]
    found += [*_leads(study), *overtakes(study.contrasts)]
    shares = crossings(study.contrasts, MIXTURE)
    if shares:
        shown = f"{_faithful(shares)} of them fitted like generated captions and the rest belonged to other images"
        found.append(f"the judge scores titles as if {shown}")
    return found


def _leads(study: Found) -> list[str]:
    """What the mean effect of pairs and its interaction with augmentation say of each augmentation."""
    means, changes = study.primary("pairs (language - self)"), study.primary("interaction")
    if not means or not changes or None in (means[0]["difference"], changes[0]["difference"]):
        return []
    mean, half = 100 * means[0]["difference"], 50 * changes[0]["difference"]
    crop, simclr = (f"{lead:+.0f}".replace("-", "−") for lead in (mean + half, mean - half))
    return [f"language minus self pairs is {crop} points with cropping alone and {simclr} with SimCLR's augmentation"]


def _clause(part: Part, study: Found, rows: Sequence[Row]) -> str:
    verdict = rows[0]["verdict"]
    said = {SUPPORTED: part.supported, CONTRADICTED: part.contradicted}.get(verdict, part.inconclusive)
    if verdict not in (SUPPORTED, CONTRADICTED, INCONCLUSIVE):
        said = f"{part.inconclusive}, since the runs are {verdict}"
    _, _, other = study.name.partition(f"-{CAPTIONER}")
    which = f"with a captioner that names {other} % of concepts right," if other else ""
    contrast = study.settings.get(part.contrast)
    if contrast is not None and contrast.margin is not None:
        said = said.replace("the margin", f"a margin of {contrast.margin:g} {part.unit}")
    numbers = f"{' and '.join(number(part, row) for row in rows)} {part.unit}"
    details = ", ".join(filter(None, (numbers, study.steps(rows[0]), rows[0]["reason"])))
    return f"{' '.join(filter(None, (which, said)))} ({details})"


def number(part: Part, row: Row) -> str:
    """A difference with its interval, in the part's unit."""
    value, low, high = (_shown(part, row[name]) for name in ("difference", "low", "high"))
    return f"{value} [{low}, {high}]" if low and high else value


def _shown(part: Part, value: float | None) -> str:
    if value is None:
        return ""
    scaled = part.scale * value
    sign = "" if part.unit == "%" else "+"
    text = f"{scaled:{sign}.1f}" if part.scale == 100 else f"{scaled:{sign}.3g}"
    return text.replace("-", "−") if float(text) else text.lstrip("+-")


def _faithful(shares: Sequence[Crossing]) -> str:
    one = shares[0]
    if one.low is None or one.high is None:
        return "all" if one.at_one < 0 else "none"
    share = float(one.at_one < 0) if one.share is None else one.share
    return f"{100 * share:.0f} % [{100 * one.low:.0f}, {100 * one.high:.0f}]"


def needed(row: Row, wanted: float, arms: int = 0) -> tuple[float, float] | None:
    """For an open contrast of runs, about how many seeds find an effect of `wanted` (a share) in 80 % of studies, and
    how many trainings these are on top of those that there are; both are infinite if no number of seeds does.

    The square of the smallest effect that is found has a part of classes and images, which stays, and one of seeds,
    which falls at least with their number. The interval over images, which is without seeds, tells them apart. None if
    there is no such figure, or if the present seeds suffice: the effect is then likely smaller.

    Args:
        arms: least number of arms of runs, where a weight of 0 hides some of them in the row.
    """
    least, seeds = row["detectable"], row["n"]
    if least is None or row["level"] != "joint" or not row["plus"] or least <= wanted:
        return None
    staying = least * row["half_without_seeds"] / ((row["high"] - row["low"]) / 2)
    if staying >= wanted:
        return math.inf, math.inf
    more = math.ceil(seeds * (least**2 - staying**2) / (wanted**2 - staying**2))
    trained = {checkpoint.rpartition(".")[0] for side in ("plus", "minus") for checkpoint in row[side].split()}
    return more, round(max(len(trained) / seeds, arms) * (more - seeds))
