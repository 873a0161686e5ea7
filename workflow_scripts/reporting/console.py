"""The headline as plain text for a terminal: the same arms and contrasts as the page's."""

from collections.abc import Sequence

import pyarrow as pa

from workflow_scripts.reporting.sections import headline
from workflow_scripts.reporting.text import minus, percent, points

_RIGHT = ("seeds",)


def arms_table(summary: pa.Table, contrasts: pa.Table, step: str = "last") -> str:
    """Arms with probe, few-shot and saliency in per cent, each with its interval, then the named contrasts.

    `summary` and `contrasts` have the columns of `summary.parquet` and `summary.contrasts.parquet`.
    """
    arms = headline.arms(summary.to_pylist(), step)
    found = headline.leading(headline.contrasts(contrasts.to_pylist()), step)
    parts = ["Arms: mean over test sets in %, with 95 % interval (s: over seeds, i: over test items)"]
    parts += _arms(arms) if arms else ["no arm was evaluated"]
    parts += ["", "Contrasts: difference in points, paired, with 95 % interval (over seeds: at least 3 needed)"]
    parts += _contrasts(found) if found else ["no two arms form a named contrast"]
    return "\n".join(parts) + "\n"


def _arms(arms: Sequence[headline.Arm]) -> list[str]:
    lines = [["method", "pairs", "augmentation", "tag", "seeds", *headline.FAMILIES.values()]]
    for arm in arms:
        cells = [_estimate(arm.estimates[name]) for name in headline.FAMILIES]
        lines.append([arm.method, arm.pairs, arm.augmentation, arm.tag, str(arm.seeds), *cells])
    return _aligned(lines)


def _estimate(estimate: headline.Estimate | None) -> str:
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return percent(estimate.value)
    over = "s" if estimate.kind == "seeds" else "i"
    return f"{percent(estimate.value)} [{percent(estimate.low)}, {percent(estimate.high)}]{over}"


def _contrasts(found: Sequence[headline.Contrast]) -> list[str]:
    """Image level and seed level are two columns of one line: they answer different questions."""
    lines = [["contrast", "method", "augmentation", "tag", "measure", "dataset", "over test images", "over seeds"]]
    levels: dict[tuple[str, ...], dict[str, str]] = {}
    for row in found:
        arm = (row.method, row.augmentation, row.tag)
        line = (minus(row.name), *arm, headline.FAMILIES[row.family], row.dataset)
        levels.setdefault(line, {})[row.level] = _difference(row)
    for head, cells in levels.items():
        lines.append([*head, cells.get("image", "-"), cells.get("seed", "-")])
    return _aligned(lines)


def _difference(row: headline.Contrast) -> str:
    interval = "" if row.low is None or row.high is None else f"[{points(row.low)}, {points(row.high)}] "
    return f"{points(row.difference)} {interval}n={row.n}, {row.verdict}"


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines with aligned columns, the first one underlined; without the column of tags if there are none."""
    used = [at for at, name in enumerate(lines[0]) if name != "tag" or any(line[at] for line in lines[1:])]
    lines = [[line[at] for at in used] for line in lines]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    right = [name in _RIGHT for name in lines[0]]
    rows = [
        "  ".join(
            text.rjust(width) if flush else text.ljust(width)
            for text, width, flush in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    ]
    return [rows[0], "  ".join("-" * width for width in widths), *rows[1:]]
