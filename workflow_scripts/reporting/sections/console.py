"""The headline as plain text for a terminal: the same arms and contrasts as the page's."""

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from workflow_scripts.core.errors.text import printed
from workflow_scripts.reporting.sections import headline
from workflow_scripts.reporting.sections.contrasts import (
    Named,
    Shown,
    named,
    none_named,
    shown_p,
    tally,
    title,
)
from workflow_scripts.reporting.text import percent

_RIGHT = ("seeds",)
_TITLE = 3  # columns that name a row: method, pairs and augmentation; contrast, comparison and measure


def arms_table(summary: pa.Table, contrasts: pa.Table, step: str = "last", width: int | None = None) -> str:
    """Arms with probe, few-shot, kNN and saliency in per cent, each with its interval, then the named contrasts.

    A table that is wider than ``width`` columns is written as a block of lines for each of its rows.
    `summary` and `contrasts` have the columns of `summary.parquet` and `summary.contrasts.parquet`.
    """
    arms = headline.arms(summary.to_pylist(), step)
    note = headline.selection_note(summary.to_pylist())
    rows = contrasts.to_pylist()
    found = named(rows, step)
    parts = [
        "Arms: mean over test sets in %, with interval (s: 95 % over seeds, i: over test items at the config's level), "
        "or as a reference without one"
    ]
    parts += [note] if note else []
    parts += _arms(arms, width) if arms else ["no arm was evaluated"]
    parts += ["", "Contrasts: difference in points, with joint 95 % interval (from three seeds on)"]
    parts += [*tally(found, rows, step), *_contrasts(found, width)] if found else [none_named(rows, step)]
    return printed(parts)


def _arms(arms: Sequence[headline.Arm], width: int | None) -> list[str]:
    lines = [["method", "pairs", "augmentation", "tag", "backbone", "seeds", *headline.FAMILIES.values()]]
    for arm in arms:
        cells = [_estimate(arm.estimates[name]) for name in headline.FAMILIES]
        lines.append([arm.method, arm.pairs, arm.augmentation, arm.tag, arm.backbone, str(arm.seeds), *cells])
    return _aligned(lines, width)


def _estimate(estimate: headline.Estimate | None) -> str:
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return percent(estimate.value)
    over = "s" if estimate.kind == "seeds" else "i"
    return f"{percent(estimate.value)} [{percent(estimate.low)}, {percent(estimate.high)}]{over}"


def _contrasts(found: Sequence[Named], width: int | None) -> list[str]:
    """A line for each comparison with a joint interval, then why comparisons of all kinds have no clear verdict."""
    heads = ["contrast", "comparison", "measure", "difference", "p, adjusted", "detectable", "verdict"]
    every = [(contrast, one) for contrast in found for one in contrast.shown]
    lines = [_line(contrast, one) for contrast, one in every if one.interval]
    reasons = Counter((one.row["verdict"], one.row["reason"]) for _, one in every if one.row["reason"])
    parts = _aligned([heads, *lines], width) if lines else []
    parts += [f"{verdict}: {reason} ({n} of {len(every)} comparisons)" for (verdict, reason), n in reasons.items()]
    if len(lines) < len(every):
        parts.append("The report also lists the comparisons without a joint interval.")
    return parts


def _line(contrast: Named, one: Shown) -> list[str]:
    row = one.row
    difference = f"{one.measure.shown(row['difference'])} [{one.interval}]"
    p = shown_p(row["p_adjusted"])
    return [title(contrast.name), one.where, one.measure.title, difference, p, one.least, row["verdict"]]


def _aligned(lines: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Lines with aligned columns, the first one underlined; without empty columns of tags and backbones."""
    used = [
        at for at, name in enumerate(lines[0]) if name not in ("tag", "backbone") or any(line[at] for line in lines[1:])
    ]
    lines = [[line[at] for at in used] for line in lines]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    if width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        return _stacked(lines)
    right = [name in _RIGHT for name in lines[0]]
    rows = [
        "  ".join(
            text.rjust(wide) if flush else text.ljust(wide)
            for text, wide, flush in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    ]
    return [rows[0], "  ".join("-" * wide for wide in widths), *rows[1:]]


def _stacked(lines: Sequence[Sequence[str]]) -> list[str]:
    """Each row as a line with its first cells, then an indented line for each other cell."""
    heads, *rows = lines
    wide = max(map(len, heads[_TITLE:]))
    found = []
    for row in rows:
        found.append(", ".join(filter(None, row[:_TITLE])))
        found += [f"    {head.ljust(wide)}  {cell}" for head, cell in zip(heads[_TITLE:], row[_TITLE:], strict=True)]
    return found
