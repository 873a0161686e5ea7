"""Sections on data: rows lost by each stage, summaries side by side, pairs with their figures by group.

Each public function with a study returns the context of one template.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup, escape

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.drawings import Panel, dot_figure, dot_of
from workflow_scripts.reporting.study import (
    ENDS,
    SEED,
    Number,
    Source,
    Study,
    label,
    number_of,
    rows_by_key,
    rows_of,
    sample_rows,
    unit_of,
)
from workflow_scripts.reporting.tables import Table, stem
from workflow_scripts.reporting.text import arm_class, caption_text, count, lost_for, percent, plain, words
from workflow_scripts.stats.intervals import wilson
from workflow_scripts.stats.seeds import derive

EXPLAINED = {
    "annotations": "annotation rows kept",
    "shard_plan": "rows planned for download",
    "image_index": "images fetched and readable",
    "caption_table": "images with their captions, and scores if there are any",
    "select_captions": "captions of this arm, out of all images or of the rows of a file",
    "pair_table": "sources with a pair",
    "common_images": "images that are sources of pairs in all runs",
}
BEHIND = {
    "same_label": "same label",
    "equal_captions": "equal captions",
    "image_cosine.near_duplicates": "images with nearly equal vectors",
}
PAIR_SOURCES, PAIR_CARDS = 6, 36  # images whose pairs are shown, and all their pairs, at most
Row = dict[str, Any]
_LEVEL = re.compile(r"(?<!\d)\.|\.(?!\d)")  # the dot in 0.5 separates no levels
PARTS = {
    "captions": "images",
    "auc": "AUC",
    "itc": "ITC",
    "itm": "ITM",
    "n": "number",
    "near_copies": "captions of nearly the same words",
    "near_duplicates": "nearly equal vectors",
}
FLOW = ("annotations", "plan", "images", "captions_table", "arms", "pairs", "common")


def flow(study: Study) -> list[Row]:
    """Each artifact that counts rows, from annotations to pairs; bars share the width of the largest input."""
    counted = [artifact for name in FLOW for artifact in study.all(name) if artifact.rows]
    widest = max((int(artifact.rows["in"]) for artifact in counted), default=0)
    return [_step(artifact, study.manifest(artifact), widest) for artifact in counted]


def _step(artifact: Artifact, source: Source, widest: int) -> Row:
    rows = artifact.rows
    dropped = [(lost_for(name), name, number) for name, number in _by_size(rows.get("dropped") or {})]
    parts = [("kept", int(rows["out"]), "kept")]
    parts += [(reason, int(number), f"lost lost-{at % 3}") for at, (reason, _, number) in enumerate(dropped)]
    return {
        "label": label(artifact),
        "meaning": EXPLAINED.get(artifact.manifest["stage"], ""),
        "rows_in": Number(count(rows["in"]), source=source, rows="rows in"),
        "rows_out": Number(count(rows["out"]), source=source, rows="rows out"),
        "dropped": [(reason, Number(count(n), source=source, rows=name)) for reason, name, n in dropped],
        "bar": stacked(parts, widest),
    }


def _by_size(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names with their counts, largest first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def stacked(parts: Sequence[tuple[str, int, str]], total: int) -> Markup:
    """One horizontal bar of (label, count, css) parts; `total` is the whole width."""
    out, at = [], 0.0
    for name, number, css in parts:
        width = 1000.0 * number / total if total else 0.0
        title = f"<title>{escape(name)}: {number}</title>"
        out.append(f'<rect class="{escape(css)}" x="{at:.1f}" y="0" width="{width:.1f}" height="14">{title}</rect>')
        at += width
    return Markup(f'<svg class="bar" viewBox="0 0 1000 14" preserveAspectRatio="none" role="img">{"".join(out)}</svg>')


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def flatten(summary: Row, prefix: str = "") -> dict[str, Row]:
    """Numbers of a nested summary by dotted name, in its order; text, lists and missing values are not shown.

    A value with `low` and `high` beside it (and maybe `n`) is one number with its interval.
    """
    own = {name: summary.get(name) for name in (*ENDS, "n")}
    if all(_is_number(own[name]) for name in ENDS):
        rest = {name: value for name, value in summary.items() if name not in own}
        return {prefix.removesuffix("."): own, **flatten(rest, prefix)}
    found: dict[str, Row] = {}
    for name, value in summary.items():
        if isinstance(value, dict):
            found |= flatten(value, f"{prefix}{name}.")
        elif _is_number(value):
            found[f"{prefix}{name}"] = {"value": float(value)}
    return found


def side_by_side(columns: Sequence[tuple[str, Row, Source]]) -> list[tuple[str, list[Number]]]:
    """(dotted name, one Number per column) lines; an em dash where an arm lacks the number."""
    flat = [(flatten(summary), source) for _, summary, source in columns]
    names = dict.fromkeys(name for numbers, _ in flat for name in numbers)
    return [(name, [number_of(numbers.get(name), plain, source, name) for numbers, source in flat]) for name in names]


def agreement(
    names: Sequence[str], tables: Sequence[Mapping[str, Row]], sources: Sequence[Source]
) -> list[tuple[str, str, list[Number]]]:
    """Name and colour of every pair table but the first, and its share with each table before it.

    A share is that of sampled images with the same first partner in both, among those with a partner in both.
    """
    return [
        (name, arm_class(name), [_share(tables[at], tables[other], names[other], sources[at]) for other in range(at)])
        for at, name in enumerate(names)
        if at
    ]


def _share(table: Mapping[str, Row], other: Mapping[str, Row], name: str, source: Source) -> Number:
    both = table.keys() & other.keys()
    if not both:
        return Number("—")
    share = wilson(sum(table[key]["target"] == other[key]["target"] for key in both) / len(both), len(both))
    row = {**share._asdict(), "n": len(both)}
    return number_of(row, lambda part: f"{100 * part:.2f}", source, f"same first partner as in {name}")


def losses(study: Study) -> Row:
    """Rows lost at each stage."""
    card = study.one("data_card")
    states, lines = [], []
    if card is not None:
        about, source = study.json(card), study.source(card, ".json")
        for name, rows in _by_size(about["states"]):
            states.append((lost_for(name), Number(count(rows), source=source, rows=f"state {name}")))
        for name, groups in about.get("captions", {}).items():
            written = plain if name in ("words", "characters") else percent
            columns = ("kept", "lost", "difference")  # files have them in the order of their names
            cells = [number_of(groups[group], written, source, f"captions.{name}.{group}") for group in columns]
            lines.append((words(name), cells))
    return {"steps": flow(study), "states": states, "charts": study.charts(study.all("data_card")), "survivors": lines}


def quality(study: Study, name: str, unit: str) -> Row:
    """Summaries side by side: of captions (`caption_quality`, arm), judges (`judge_quality`, judge), pairs, ratings."""
    artifacts = study.all(name)
    columns = [(unit_of(one, unit), study.json(one), study.source(one, ".json")) for one in artifacts]
    lines = [(title_of(figure, study.settings.groups), cells) for figure, cells in side_by_side(columns)]
    names = [column for column, _, _ in columns]
    rows = [[figure, *(cell.shown for cell in cells)] for figure, cells in lines]
    return {
        "columns": [(column, arm_class(column)) for column in names],
        "lines": lines,
        "table": Table(name, words(name), ["measure", *names], rows),
        "charts": study.charts(artifacts),
    }


def title_of(figure: str, groups: str) -> str:
    """The dotted name of a figure for readers, and ``groups`` for subreddits: ``scores.itm.auc`` is “ITM, AUC”."""
    first, *rest = _LEVEL.split(figure.replace("flips_at.", "flips_at_margin_"))
    parts = rest if rest and first in ("judges", "pairs", "scores") else [first, *rest]
    return ", ".join(PARTS.get(part, words(part)) for part in parts).replace("subreddit", groups)


def pairs_behind(study: Study) -> Row:
    """The shares of pairs that are known of some table: their titles, and of each table name, colour and shares."""
    tables = [(artifact, flatten(study.json(artifact))) for artifact in study.all("pair_quality")]
    known = [key for key in BEHIND if any(key in figures for _, figures in tables)]
    lines = []
    for artifact, figures in tables:
        source, name = study.source(artifact, ".json"), unit_of(artifact, "pairs")
        lines.append((name, arm_class(name), [number_of(figures.get(key), percent, source, key) for key in known]))
    return {"known": known, "titles": [BEHIND[key] for key in known], "lines": lines if known else []}


class Measure(NamedTuple):
    """A figure of the summary of a pair table, by its dotted name there; shares are shown in per cent."""

    key: str
    title: str
    unit: str
    better: str

    def number(self, figures: Mapping[str, Row], source: Source) -> Number:
        """Its number; a share that the file lacks is cited with the two numbers that it is computed from."""
        where = self.key.removesuffix(".share")
        return number_of(figures.get(self.key), percent if self.share else plain, source, where)

    @property
    def share(self) -> bool:
        """Whether it is one."""
        return self.unit.startswith("%")


GROUPS = {
    "Do the images of a pair belong together?": (
        Measure("same_label", "same label", "% of pairs", "higher"),
        Measure("image_cosine.pairs", "similarity of the images", "cosine", "higher"),
        Measure("image_cosine.difference", "more alike than random pairs", "difference of cosines", "higher"),
        Measure("image_cosine.false_positives", "less alike than the median random pair", "% of pairs", "lower"),
    ),
    "Could pairs be found without a text encoder?": (
        Measure("equal_captions", "equal captions", "% of pairs", "lower"),
        Measure("near_copies", PARTS["near_copies"], "% of pairs", "lower"),
        Measure("image_cosine.near_duplicates", "images with nearly equal vectors", "% of pairs", "lower"),
        Measure("same_subreddit", "from the same subreddit or group", "% of pairs", "neither"),
    ),
    "Are all images used?": (
        Measure("hubness.max", "partners of the largest hub", "pairs", "lower"),
        Measure("hubness.gini", "uneven use (Gini coefficient)", "0 to 1", "lower"),
        Measure("hubness.never_share", "never a partner", "% of possible partners", "lower"),
        Measure(
            "hubness.effective_targets", "effective number of partners", "images, out of possible partners", "higher"
        ),
        Measure("reciprocity", "pairs in both directions", "% of pairs", "neither"),
        Measure("negatives.alike", "negatives with an equal caption or partner", "per 10,000", "lower"),
        Measure("negatives.false", "negatives of the same label", "per 10,000", "lower"),
        Measure("search_recall", "neighbours that the search finds", "%", "higher"),
    ),
}


def pair_figures(study: Study) -> Row:
    """Groups of measures with their small multiples and lines of numbers, and all lines as files."""
    tables = [(unit_of(one, "pairs"), one) for one in study.all("pair_quality")]
    found = {name: _with_share(flatten(study.json(one))) for name, one in tables}
    sources = {name: study.source(one, ".json") for name, one in tables}
    groups = []
    for group, measures in GROUPS.items():
        present = [measure for measure in measures if any(measure.key in figures for figures in found.values())]
        lines = [
            (f"{measure.title}, {measure.unit}", [measure.number(own, sources[name]) for name, own in found.items()])
            for measure in present
        ]
        if present:
            alt = f"Of each pair table: {', '.join(measure.title for measure in present)}."
            panels = [_panel(measure, found) for measure in present]
            groups.append((group, dot_figure(stem(f"pairs {present[0].title}"), f"Pairs: {group}", alt, panels), lines))
    rows = [[name, *(number.shown for number in cells)] for _, _, lines in groups for name, cells in lines]
    title = "Pair tables, each with all of its pairs; 95 % intervals where they are known"
    return {"groups": groups, "table": Table("pairs", title, ["measure", *found], rows)}


def _with_share(figures: dict[str, Row]) -> dict[str, Row]:
    """The same with the shares of negatives that are alike, which, unlike their numbers, don't depend on the batch."""
    batch = figures.get("negatives.batch", {}).get("value", 0)
    counted = {"alike": figures.get("negatives.either"), "false": figures.get("negatives.same_label")}
    return figures | {
        f"negatives.{name}": {"value": 20_000 * number["value"] / batch / (batch - 1)}
        for name, number in counted.items()
        if number is not None and number["value"] is not None and batch > 1
    }


def _panel(measure: Measure, found: dict[str, dict[str, Row]]) -> Panel:
    rows = {name: figures[measure.key] for name, figures in found.items() if measure.key in figures}
    dots = [dot_of(name, row, 100 if measure.share else 1) for name, row in rows.items()]
    return Panel(measure.title, measure.unit, dots, measure.better)


def pairs(study: Study) -> Row:
    """First partners of the same source images in every pair table."""
    tables, index = study.all("pairs"), study.one("images")
    if not tables or index is None:
        return {"sources": []}
    sample = [row["key"] for row in sample_rows(index.path(".parquet"), ["key"], "pairs")]
    np.random.default_rng(derive(SEED, "report", "pairs", "order")).shuffle(sample)
    found = [_nearest(table, sample) for table in tables]
    sources = shared_sources(sample, found, max(1, min(PAIR_SOURCES, PAIR_CARDS // len(tables))))
    shown = sources + [table[key]["target"] for key in sources for table in found if key in table]
    thumbs, texts = study.thumbnails(shown), _captions_by_arm(study, shown)
    blocks = []
    for key in sources:
        cards = [
            _pair_card(study, table, rows[key], texts, thumbs)
            for table, rows in zip(tables, found, strict=True)
            if key in rows
        ]
        blocks.append({"key": key, "thumb": thumbs.get(key, ""), "cards": cards})
    names = [unit_of(table, "pairs") for table in tables]
    return {
        "sources": blocks,
        "columns": [(name, arm_class(name)) for name in names[:-1]],
        "agreement": agreement(names, found, [study.source(table, ".parquet") for table in tables]),
    }


def _nearest(table: Artifact, keys: Sequence[str]) -> dict[str, Row]:
    return {row["source"]: row for row in rows_of(table.path(".parquet"), "source", keys) if row["rank"] == 1}


def _captions_by_arm(study: Study, keys: Sequence[str]) -> dict[str, dict[str, str]]:
    """arm -> key -> caption; `""` stands for the original captions, for pair tables that no arm made."""
    texts = {
        unit_of(arm, "arm"): {key: row["caption"] for key, row in rows_by_key(arm, "key", keys).items()}
        for arm in study.all("arms")
    }
    table = study.one("captions_table")
    originals = {} if table is None else rows_by_key(table, "key", keys)
    return {**texts, "": {key: row["original"] for key, row in originals.items()}}


def _pair_card(study: Study, table: Artifact, row: Row, texts: Mapping[str, Row], thumbs: Mapping[str, str]) -> Row:
    name = unit_of(table, "pairs")
    wanted = study.settings.captions_of.get(name, name)
    arm = wanted if wanted in texts else ""
    source = study.source(table, ".parquet")
    return {
        "pairs": name,
        "css": arm_class(name),
        "arm": arm or "original",
        "thumb": thumbs.get(row["target"], ""),
        "source_caption": caption_text(texts[arm].get(row["source"], "")),
        "target_caption": caption_text(texts[arm].get(row["target"], "")),
        "cosine": Number(f"{row['cosine']:.2f}", source=source, rows=f"source {row['source']}, rank 1"),
    }


def shared_sources(sample: Sequence[str], tables: Sequence[Mapping[str, Row]], most: int) -> list[str]:
    """At most `most` keys of `sample`, in its order, first those with a pair in every table, then in most tables."""
    counts = {key: sum(key in table for table in tables) for key in sample}
    ranked = sorted((key for key in counts if counts[key]), key=lambda key: -counts[key])
    return ranked[:most]
