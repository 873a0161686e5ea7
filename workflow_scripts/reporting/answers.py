"""One sentence for each primary contrast, by rule from its verdict; docs/statistics.md defines the verdicts.

The page begins with these sentences and the terminal ends with them. No other sentence says what a study found.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from workflow_scripts.core.declaration.result_names import MEAN, PROBE, probe_objective
from workflow_scripts.reporting.crossing import overtakes
from workflow_scripts.reporting.drawings import Dot
from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.methods import listing
from workflow_scripts.reporting.sections.contrasts import Named, Shown, dot, forest, none_named, titles
from workflow_scripts.reporting.settings import Asked, Report
from workflow_scripts.reporting.study import Study, leaked_images
from workflow_scripts.reporting.terms import CEILINGS, FLOORS, Sides, Words, asked_of, sides
from workflow_scripts.reporting.text import minus, visible

Row = dict[str, Any]
UNITS = "Points are percentage points; brackets hold 95 % intervals."
OBJECTIVES = "The linear probe is fitted in two ways, called objectives sklearn and lgssl; a verdict needs both."
FLOOR = ", floor"
NOTHING_LEARNED = (
    "No arm is shown to beat an untrained network under every objective of the linear probe, so what these networks "
    "learned may be useless there, and differences between them say little. More training, seeds, test images or "
    "classes may tell more."
)
CAPTIONS = {
    "original": "original captions came with the images",
    "generated": "generated ones were written by a captioning model",
    "revised": "a revised one is the original or a generated one, whichever scores higher against the image",
    "shuffled": "shuffled ones belong to other images",
}
"""What usual names of arms stand for."""
DEFAULT = "The config declares no primary contrast; this one is the default."
CLEAR = ("supported", "contradicted")
ENDPOINTS = {
    "linear_probe": "the linear probe",
    "few_shot": "few-shot accuracy",
    "knn": "kNN accuracy",
    "pair_purity": "the share of pairs with the same label",
    "orderings": "the share of known orderings that saliency recovers",
}


@dataclass(frozen=True)
class Answer:
    """A primary contrast: what it asks, and what was found.

    Attributes:
        question: a clause that follows "whether".
        rows: its rows with a verdict, one for each objective of the linear probe; the leading objective's comes first.
    """

    question: str
    text: str
    verdict: str
    rows: tuple[Shown, ...]


def answers(contrasts: Sequence[Named], summary: Sequence[Row], settings: Report) -> list[Answer]:
    """An answer for each primary contrast, in the order of the contrasts.

    Args:
        contrasts: those shown, as :func:`~workflow_scripts.reporting.sections.contrasts.named` gives them.
        summary: rows of the summary.
    """
    runs, words_of = {row["run"]: row for row in summary}, Words(settings)
    leading = probe_objective(row["metric"] for row in summary)
    found: dict[tuple[str, str], list[Shown]] = {}
    for contrast in contrasts:
        for shown in contrast.shown:
            if shown.row["primary"]:
                found.setdefault((contrast.name, shown.where), []).append(shown)
    several = [name for name, _ in found]
    result = []
    for (name, where), rows in found.items():
        rows.sort(key=lambda shown: f".{leading}." not in shown.row["metric"])
        asked = asked_of(rows[0].row, settings, runs)
        compared = _Compared(asked, sides(asked, words_of), rows, where if several.count(name) > 1 else "")
        over = _over(rows[0], summary)
        result.append(Answer(compared.question, compared.sentence(over), rows[0].row["verdict"], tuple(rows)))
    return result


@dataclass(frozen=True)
class _Compared:
    """A primary contrast and its rows; `where` tells rows of the same contrast apart."""

    asked: Asked
    sides: Sides | None
    rows: Sequence[Shown]
    where: str

    @property
    def row(self) -> Row:
        return self.rows[0].row

    @property
    def measure(self) -> str:
        """What was measured, of which runs."""
        judge = f"the centred caption score by judge “{visible(self.asked.judge or '')}”"
        within = ", ".join(filter(None, (self.sides.within if self.sides else "", self.where)))
        return ENDPOINTS.get(self.row["metric"].partition(".")[0], judge) + _bracketed(within)

    @property
    def question(self) -> str:
        """What the contrast asks: whether what it expects is so."""
        return self.claim(self.row["expected"] > 0)

    def claim(self, up: bool, numbers: str = "") -> str:
        """What the contrast is about, as if it were so: a difference that is ``up`` or down, or an equivalence."""
        name, bracketed = f"“{visible(self.asked.name)}”", _bracketed(numbers)
        if self.asked.margin is not None:
            margin = f"{self.asked.margin:g}" + (" points" if self.rows[0].measure.scale == 100 else "")
            if self.asked.endpoint == "flips":
                judge, most = f"judge “{visible(self.asked.judge or '')}”", f"{self.asked.margin:g} %"
                return f"less than {most} of the replaced captions would be kept by {judge}, if centred{bracketed}"
            if self.sides is None:
                return f"{name} is within {margin} of 0 in {self.measure}{bracketed}"
            both = f"{self.sides.first} and {self.sides.second}"
            return f"{both} differ by less than {margin} in {self.measure}{bracketed}"
        by = f" by {numbers}" if numbers else ""
        if self.asked.test == "slope":
            unit = " per unit" if numbers else ""
            return f"along {name}, {self.measure} {'rises' if up else 'falls'}{by}{unit}"
        if self.sides is None:
            return f"{name} is {'above' if up else 'below'} 0 in {self.measure}{bracketed}"
        verb = self.sides.verb("beat") if up else f"{self.sides.verb('fall')} behind"
        return f"{self.sides.first} {verb} {self.sides.second}{by} in {self.measure}"

    def sentence(self, over: str) -> str:
        """The answer.

        Args:
            over: seeds and sets, or images.
        """
        row, verdict = self.row, self.row["verdict"]
        if verdict in CLEAR:
            signed = self.asked.margin is not None or (self.sides is None and self.asked.test != "slope")
            claim = self.claim(row["difference"] > 0, _number(self.rows[0], signed))
            others = f"{over}{self._others(signed)}: {verdict}{_bracketed(row['reason'])}"
            return f"{claim[:1].upper()}{claim[1:]}{others}."
        smallest = [shown.row["detectable"] for shown in self.rows]  # a verdict needs all objectives
        least = max(smallest) if verdict == "inconclusive" and None not in smallest else None
        more = ""
        if least is not None:
            spread = f" if {'images' if row['level'] == 'image' else 'seeds and classes'} deviate as these do"
            more = f"smallest detectable effect {_size(self.rows[0], least, signed=False)}{spread}"
        why = _bracketed("; ".join(filter(None, (row["reason"], more))))
        known = "no difference was measured"
        if row["difference"] is not None:
            known = f"{_number(self.rows[0], signed=True)}{over}{self._others(signed=True)}"
        return f"It is open whether {self.claim(row['expected'] > 0)}: {known}: {verdict}{why}."

    def _others(self, signed: bool) -> str:
        """What the other objectives of the linear probe say; without ``signed``, as sizes."""
        others = [(shown.row["metric"].split(".")[1], shown) for shown in self.rows[1:]]
        return "".join(f" (objective {visible(name)}: {_number(shown, signed)})" for name, shown in others)


def _number(shown: Shown, signed: bool) -> str:
    row, turn = shown.row, 1 if signed or shown.row["difference"] > 0 else -1
    text = _size(shown, turn * row["difference"], signed)
    if not shown.interval:
        return text
    ends = (shown.measure.shown(end) for end in sorted(turn * end for end in (row["low"], row["high"])))
    low, high = (end if signed else end.lstrip("+") for end in ends)
    return f"{text} [{low}, {high}]"


def _size(shown: Shown, value: float, signed: bool) -> str:
    text = shown.measure.shown(value)
    return (text if signed else text.lstrip("+")) + (" points" if shown.measure.scale == 100 else "")


def _over(shown: Shown, summary: Sequence[Row]) -> str:
    """How many seeds and sets, or images, a row covers."""
    row = shown.row
    counted = f"{row['n']} {'image' if row['level'] == 'image' else 'seed'}{'' if row['n'] == 1 else 's'}"
    if not row["dataset"]:
        return f", over {counted}"
    if row["dataset"] != MEAN:
        return f", over {counted} on {visible(row['dataset'])}"
    family = row["metric"].rpartition(".")[0]
    if family == "few_shot":  # whose mean may leave out sets with few classes
        return f", over {counted} and the mean of sets"
    of_first = row["plus"].split()[:1]
    sets = {
        one["dataset"]
        for one in summary
        if f"{one['run']}.{one['step']}" in of_first and one["metric"].startswith(f"{family}.")
    }
    sets = {name for name in sets if not name.startswith(MEAN) and name not in row["chosen_on"].split(", ")}
    return f", over {counted} and {len(sets)} test set{'' if len(sets) == 1 else 's'}"


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""


def notes(
    found: Sequence[Answer], contrasts: Sequence[Named], listed: Sequence[Row], rows: Sequence[Row], settings: Report
) -> list[str]:
    """How a contrast became primary if the config names none; whether no arm beats an untrained network; where fitted
    lines of exploratory contrasts cross.

    Args:
        contrasts: those shown.
        listed: rows of all contrasts.
        rows: those of the summary.
    """
    runs, words_of = {row["run"]: row for row in rows}, Words(settings)
    default = any(answer.rows[0].row["primary"] == "default" for answer in found)
    lows: dict[tuple[str, str], list[float | None]] = {}
    for contrast in contrasts:
        for shown in contrast.shown:
            with_floor = shown.measure.probe and bound(shown, runs, words_of) == FLOOR
            if with_floor and _roles(shown.row["plus"], runs, words_of) - {*CEILINGS}:
                lows.setdefault((contrast.name, shown.where), []).append(shown.row["low"])
    known_lows = [of_one for of_one in lows.values() if any(low is not None for low in of_one)]
    # All objectives must agree, as for a verdict.
    nothing = known_lows and all(any(low is None or low <= 0 for low in of_one) for of_one in known_lows)
    known = [*([DEFAULT] if default else []), *([NOTHING_LEARNED] if nothing else [])]
    known += filter(None, (_unequal(answer.rows[0], runs) for answer in found))
    return [*known, *(f"Exploratory: {clause}." for clause in overtakes(listed))]


def leaks(leaked: Mapping[str, tuple[int, int]]) -> list[str]:
    """In which sets more than 1 % of the test images are the study's.

    Args:
        leaked: of each test set, number of images that are among the study's, or nearly so, and of all.
    """
    return [
        f"{near:,} of {tested:,} test images of {visible(name)} are nearly or exactly the study's: scores may be high."
        for name, (near, tested) in leaked.items()
        if near > tested / 100
    ]


def _unequal(shown: Shown, runs: Mapping[str, Row]) -> str:
    """That the two sides of a contrast learned from different numbers of images; empty if not by more than 1 %."""
    batches, images = [], []  # of an epoch, which has as many whole batches as a run's images fill
    for side in ("plus", "minus"):
        rows = [runs.get(checkpoint.rpartition(".")[0]) for checkpoint in shown.row[side].split()]
        epochs = [(row["trained_steps"] / row["epochs"], row["batch_size"]) for row in rows if row and row["epochs"]]
        batches.append(sum(number for number, _ in epochs) / max(len(epochs), 1))
        images.append(sum(number * size for number, size in epochs) / max(len(epochs), 1))
    if not all(images) or max(images) / min(images) <= 1.01:
        return ""
    more, fewer = (0, 1) if images[0] > images[1] else (1, 0)
    sides = ("first", "second")
    unit, numbers = "batches", batches
    if not math.isclose(images[0] * batches[1], images[1] * batches[0]):  # batches differ in size
        unit, numbers = "images", images
    return (
        f"The {sides[more]} side of “{minus(shown.row['contrast'])}” learned from more images than the {sides[fewer]} "
        f"({numbers[more]:,.0f} and {numbers[fewer]:,.0f} {unit} an epoch). common_images: true gives both the same "
        "sources; their partners may still differ."
    )


def first_screen(study: Study, contrasts: Sequence[Named], listed: Sequence[Row], rows: Sequence[Row]) -> Row:
    """What the study asks, the answers, and the primary contrasts beside their controls, as the template takes them.

    Args:
        contrasts: those shown.
        listed: rows of all contrasts.
        rows: those of the summary.
    """
    found = answers(contrasts, rows, study.settings)
    asked = "; and whether ".join(dict.fromkeys(one.question for one in found))
    units = [UNITS, OBJECTIVES] if any(len(answer.rows) > 1 for answer in found) else [UNITS]
    same = leaks(leaked_images(study.all("leakage")))
    same += [
        f"The sets {listing(map(visible, names))} have the same labelled images for training." for names in study.alike
    ]
    return {
        "question": f"{setting(rows, Words(study.settings))}This study asks whether {asked}." if asked else "",
        "captions": captions_of(asked),
        "answers": [(one.text, one.verdict) for one in found]
        or [(none_named(listed, study.settings.headline_step, evaluated=bool(rows)), "")],
        "notes": [*([" ".join(units)] if found else []), *notes(found, contrasts, listed, rows, study.settings), *same],
        "figure": primary_figure(found, contrasts, rows, Words(study.settings)),
    }


def setting(rows: Sequence[Row], words_of: Words) -> str:
    """What a reader must know to understand the question; empty if no run has pairs by captions."""
    if "language" not in {words_of.role(row["method"], row["pairs"]) for row in rows}:
        return ""
    probed = "; a linear classifier on their frozen features (linear probe) measures how well they tell classes apart"
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
    others = [one for contrast in contrasts for one in contrast.shown if not one.row["primary"] and one.row["plus"]]
    like = itemgetter("plus", "metric", "dataset")
    dots: dict[int, Dot] = {}
    measures = set()
    for first in (one.rows[0] for one in found):
        for shown in (first, *(other for other in others if like(other.row) == like(first.row))):
            if shown.measure.scale == 100 and shown.row["difference"] is not None:
                measures.add(shown.measure.title)
                dots.setdefault(shown.at, dot(shown, names[shown.at] + bound(shown, runs, words_of)))
    if not dots:
        return None
    primary = [drawn for drawn in dots.values() if drawn.css != "soft"]
    what = "Primary contrasts" if len(primary) > 1 else "Primary contrast"
    if len(primary) < len(dots):
        what += " and, in grey, controls"
    title = f"{what}, with 95 % intervals; right of 0, the side before the minus sign is better"
    return forest("primary", title, list(dots.values()), measures)


def bound(shown: Shown, runs: Mapping[str, Row], words_of: Words) -> str:
    """Whether what is subtracted is a floor or a ceiling of the others."""
    roles = _roles(shown.row["minus"], runs, words_of)
    if not roles:
        return ""
    return FLOOR if roles <= {*FLOORS} else ", ceiling" if roles <= {*CEILINGS} else ""


def _roles(side: str, runs: Mapping[str, Row], words_of: Words) -> set[str]:
    """Roles of a side's runs."""
    rows = [runs.get(checkpoint.rpartition(".")[0]) for checkpoint in side.split()]
    return {words_of.role(row["method"], row["pairs"]) for row in rows if row is not None}
