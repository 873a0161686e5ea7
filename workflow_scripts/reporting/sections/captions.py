"""The captions of a few images in all arms, with their scores: a seeded choice inside stated strata, never by hand."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.study import SEED, Number, Source, Study, rows_by_key, rows_of, sample_rows, unit_of
from workflow_scripts.reporting.text import caption_text, count, plain
from workflow_scripts.stats.seeds import derive

Row = dict[str, Any]
EACH = 4  # examples of each stratum


def chosen_strata(gain: np.ndarray, seed: int, each: int) -> dict[str, list[int]]:
    """Positions into `gain` (n,) float: at most `each` from the lowest 5 %, the middle 10 % and the highest 5 %.

    `gain` is ITM(generated) − ITM(original); not-finite gains are never chosen. A position is in one stratum only.
    """
    finite = np.flatnonzero(np.isfinite(gain))
    order = finite[np.argsort(gain[finite], kind="stable")]
    n = len(order)
    tail = min(max(each, round(0.05 * n)), n // 3)
    half = max(min(max(each, round(0.10 * n)), n - 2 * tail) // 2, 1)
    pools = {
        "worst": order[:tail],
        "typical": order[tail : n - tail][max((n - 2 * tail) // 2 - half, 0) :][: 2 * half],
        "best": order[n - tail :],
    }
    chosen = {}
    for name, pool in pools.items():
        draw = np.random.default_rng(derive(seed, "report", "captions", name))
        picked = draw.choice(pool, size=min(each, len(pool)), replace=False) if len(pool) else pool
        chosen[name] = [int(at) for at in sorted(picked, key=lambda at: gain[at])]
    return chosen


def caption_lines(row: Row, chosen: Mapping[str, Row]) -> list[Row]:
    """The original and the best generated caption of one image (a row of `caption_table`), and other captions of arms:
    origin, text ready for autoescape, ITM score, and the arms that chose it.

    `chosen` maps arm -> the arm's row for this image (caption, origin, itm), where it has one.
    """
    known = {("original", row["original"]): row["itm_original"]}
    if row["generated"]:
        best = max(range(len(row["generated"])), key=lambda at: row["itm_generated"][at])
        known["generated", row["generated"][best]] = row["itm_generated"][best]
    for one in chosen.values():
        known.setdefault((one["origin"], one["caption"]), one["itm"])
    arms = {which: [arm for arm, row in chosen.items() if (row["origin"], row["caption"]) == which] for which in known}
    return [
        {"origin": origin, "text": caption_text(text), "itm": itm, "chosen_by": arms[origin, text]}
        for (origin, text), itm in known.items()
    ]


Judged = dict[tuple[str, str], list[tuple[str, Number]]]
"""(arm, key) -> scores of the arm's caption of that image, by judge and score, with the centred one in brackets."""


def scored_by_all(study: Study, keys: Collection[str]) -> set[str]:
    """Those of ``keys`` whose captions every judge scored: a judge can be limited to a random choice of images."""
    found: dict[str, set[str]] = {}
    for scores in study.scores:
        if scores.unit["arm"] == study.scores[0].unit["arm"]:  # a judge's choice is the same in all arms
            rows = rows_of(scores.path(".parquet"), "key", keys, ["key"])
            found.setdefault(scores.unit["judge"], set()).update(row["key"] for row in rows)
    return set(keys).intersection(*found.values())


def judge_scores(study: Study, keys: Collection[str]) -> Judged:
    """The known scores of the captions of ``keys`` in all arms; only the blocks that hold these images are read."""
    index = study.one("images")
    if index is None or not keys:
        return {}
    shards = {row["shard"] for row in rows_of(index.path(".parquet"), "key", keys, ["key", "shard"])}
    found: Judged = {}
    for scores in study.scores:
        first, last = (int(number) for number in scores.unit["block"].split("-"))
        if any(first <= shard <= last for shard in shards):
            _add(study, scores, keys, found)
    return found


def _add(study: Study, scores: Artifact, keys: Collection[str], found: Judged) -> None:
    arm, judge = scores.unit["arm"], scores.unit["judge"]
    for row in rows_of(scores.path(".parquet"), "key", keys):
        for name in [name for name in row if f"{name}_random_centred" in row and row[name] is not None]:
            where = f"key {row['key']}, {name}"
            centred = "" if row[f"{name}_centred"] is None else f"({plain(row[f'{name}_centred'])})"
            number = Number(plain(row[name]), centred, study.source(scores, ".parquet"), where)
            found.setdefault((arm, row["key"]), []).append((f"{judge} {name}", number))


def captions(study: Study) -> Row:
    """The captions of a seeded choice of images in all arms: worst, typical, best."""
    table = study.one("captions_table")
    if table is None:
        return {"strata": []}
    path = table.path(".parquet")
    sample = sample_rows(path, ("key", "itm_original", "itm_generated"), "captions")
    scored = scored_by_all(study, [row["key"] for row in sample])
    sample = [row for row in sample if row["key"] in scored]
    gains = np.array([_gain(row) for row in sample])
    ranked = bool(np.isfinite(gains).any())  # without generated captions, all examples are a random choice
    draw = np.random.default_rng(derive(SEED, "report", "captions", "any"))
    any_of_them = draw.permutation(len(sample))[: 3 * EACH].tolist()
    chosen = chosen_strata(gains, SEED, EACH) if ranked else {"examples": any_of_them}
    keys = {name: [sample[at]["key"] for at in positions] for name, positions in chosen.items()}
    everyone = [key for some in keys.values() for key in some]
    rows = rows_by_key(table, "key", everyone)
    arms = {unit_of(arm, "arm"): rows_by_key(arm, "key", everyone) for arm in study.all("arms")}
    thumbs, judged = study.thumbnails(everyone), judge_scores(study, everyone)
    source = study.source(table, ".parquet")
    cards = [
        (name, [_caption_card(rows[key], arms, thumbs.get(key, ""), judged, source) for key in keys[name]])
        for name in chosen
        if keys[name]
    ]
    return {"strata": cards, "ranked": ranked, "sampled": count(len(sample)), "judged": bool(study.scores)}


def _gain(row: Row) -> float:
    if row["itm_original"] is None or not row["itm_generated"]:
        return math.nan
    return float(max(row["itm_generated"]) - row["itm_original"])


def _scores(line: Row, key: str, judged: Judged, source: Source) -> list[tuple[str, Number]]:
    """ITM, where it is known, and the scores of the judges by an arm that has the caption; else that there are none."""
    found = []
    if line["itm"] is not None and math.isfinite(line["itm"]):
        itm = f"{line['itm']:+.2f}".replace("-", "−")
        found.append(("ITM", Number(itm, "", source, f"key {key}, ITM of the {line['origin']} caption")))
    found += next((judged[arm, key] for arm in line["chosen_by"] if (arm, key) in judged), [])
    return found or [("", Number("not scored"))]


def _caption_card(row: Row, arms: Mapping[str, Mapping[str, Row]], thumb: str, judged: Judged, source: Source) -> Row:
    key = row["key"]
    chosen = {name: found[key] for name, found in arms.items() if key in found}
    lines = [line | {"scores": _scores(line, key, judged, source)} for line in caption_lines(row, chosen)]
    return {"key": key, "group": row["subreddit"], "thumb": thumb, "lines": lines}
