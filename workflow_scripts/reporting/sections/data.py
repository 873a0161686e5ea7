"""Sections on data: losses, captions, pairs. Each function returns the context of one template."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.colours import arm_class
from workflow_scripts.reporting.provenance import Number, Source
from workflow_scripts.reporting.reading import rows_of, sample_rows
from workflow_scripts.reporting.sections import examples
from workflow_scripts.reporting.sections.agreement import Partners, agreement
from workflow_scripts.reporting.sections.examples import CaptionLine
from workflow_scripts.reporting.sections.flow import final_states, steps
from workflow_scripts.reporting.sections.judge_scores import Judged, JudgeScore, judge_scores, scored_by_all
from workflow_scripts.reporting.sections.quality import is_detail, side_by_side
from workflow_scripts.reporting.study import Study, record
from workflow_scripts.reporting.text import caption_text, count, words
from workflow_scripts.stats.seeds import derive

Row = dict[str, Any]
_LEVEL = re.compile(r"(?<!\d)\.|\.(?!\d)")  # the dot in 0.5 separates no levels
SAMPLE = 20_000  # rows from which examples are chosen
FLOW = ("annotations", "plan", "images", "captions_table", "arms", "pairs", "common")


def losses(study: Study) -> Row:
    """Rows lost at each stage."""
    records = [record(artifact) for name in FLOW for artifact in study.all(name)]
    card = study.one("data_card")
    states, picture = [], None
    if card is not None:
        source = study.source(card, ".json")
        for name, rows in final_states(study.json(card)):
            states.append((words(name), Number(count(rows), source=source, rows=f"state {name}")))
        picture = study.figure(card, "Kept and lost rows")
    return {"steps": steps(records, study.index), "states": states, "figure": picture}


def _scores(line: CaptionLine, key: str, judged: Judged, source: Source) -> list[JudgeScore]:
    """ITM, where it is known, and the scores of the judges by an arm that has the caption; else that there are none."""
    found = []
    if line.itm is not None and math.isfinite(line.itm):
        itm = f"{line.itm:+.2f}".replace("-", "−")
        found.append(JudgeScore("ITM", Number(itm, "", source, f"key {key}, ITM of the {line.origin} caption")))
    found += next((judged[arm, key] for arm in line.chosen_by if (arm, key) in judged), [])
    return found or [JudgeScore("", Number("not scored"))]


def captions(study: Study) -> Row:
    """The captions of a seeded choice of images in all arms: worst, typical, best."""
    table = study.one("captions_table")
    if table is None:
        return {"strata": []}
    path, settings = table.path(".parquet"), study.settings
    columns = ("key", "itm_original", "itm_generated")
    sample = sample_rows(path, columns, SAMPLE, settings.seed, "captions").to_pylist()
    scored = scored_by_all(study, [row["key"] for row in sample])
    sample = [row for row in sample if row["key"] in scored]
    chosen = examples.strata(np.array([_gain(row) for row in sample]), settings.seed, settings.captions_each)
    keys = {name: [sample[at]["key"] for at in positions] for name, positions in chosen.items()}
    everyone = [key for some in keys.values() for key in some]
    rows = {row["key"]: row for row in rows_of(path, "key", everyone)}
    arms = {_unit(arm, "arm"): _by_key(arm, "key", everyone) for arm in study.all("arms")}
    thumbs, judged = study.thumbnails(everyone), judge_scores(study, everyone)
    source = study.source(table, ".parquet")
    strata = [
        (name, [_caption_card(rows[key], arms, thumbs.get(key, ""), judged, source) for key in keys[name]])
        for name in examples.STRATA
        if keys[name]
    ]
    return {"strata": strata, "sampled": count(len(sample)), "judged": bool(study.scores)}


def _gain(row: Row) -> float:
    if row["itm_original"] is None or not row["itm_generated"]:
        return math.nan
    return float(max(row["itm_generated"]) - row["itm_original"])


def _by_key(artifact: Artifact, column: str, keys: Sequence[str]) -> dict[str, Row]:
    return {row[column]: row for row in rows_of(artifact.path(".parquet"), column, keys)}


def _caption_card(row: Row, arms: Mapping[str, Mapping[str, Row]], thumb: str, judged: Judged, source: Source) -> Row:
    key = row["key"]
    chosen = {name: found[key] for name, found in arms.items() if key in found}
    lines = [
        {"line": line, "scores": _scores(line, key, judged, source)} for line in examples.caption_lines(row, chosen)
    ]
    return {"key": key, "subreddit": row["subreddit"], "thumb": thumb, "lines": lines}


def _unit(artifact: Artifact, name: str) -> str:
    return artifact.unit.get(name, artifact.name)


def quality(study: Study, name: str, unit: str) -> Row:
    """Summaries side by side: of captions (`caption_quality`, arm), judges (`judge_quality`, judge), pairs, ratings."""
    artifacts = study.all(name)
    columns = [(_unit(one, unit), study.json(one), study.source(one, ".json")) for one in artifacts]
    figures = [study.figure(one, _unit(one, unit)) for one in artifacts]
    lines = [(words(_LEVEL.sub(" · ", figure)), is_detail(figure), cells) for figure, cells in side_by_side(columns)]
    return {
        "columns": [(column, arm_class(column)) for column, _, _ in columns],
        "lines": [(figure, cells) for figure, detail, cells in lines if not detail],
        "details": [(figure, cells) for figure, detail, cells in lines if detail],
        "figures": [picture for picture in figures if picture],
    }


def pairs(study: Study) -> Row:
    """First partners of the same source images in every pair table."""
    tables, index, settings = study.all("pairs"), study.one("images"), study.settings
    if not tables or index is None:
        return {"sources": []}
    sample = sample_rows(index.path(".parquet"), ("key",), SAMPLE, settings.seed, "pairs")["key"].to_pylist()
    np.random.default_rng(derive(settings.seed, "report", "pairs", "order")).shuffle(sample)
    found = [_nearest(table, sample) for table in tables]
    sources = examples.shared_sources(sample, found, settings.pair_sources)
    shown = sources + [table[key]["target"] for key in sources for table in found if key in table]
    thumbs = study.thumbnails(shown)
    texts = _captions_by_arm(study, shown)
    blocks = []
    for key in sources:
        cards = [
            _pair_card(study, table, rows[key], texts, thumbs)
            for table, rows in zip(tables, found, strict=True)
            if key in rows
        ]
        blocks.append({"key": key, "thumb": thumbs.get(key, ""), "cards": cards})
    names = [_unit(table, "pairs") for table in tables]
    firsts = [
        Partners(name, {key: row["target"] for key, row in rows.items()}, study.source(table, ".parquet"))
        for name, table, rows in zip(names, tables, found, strict=True)
    ]
    return {
        "sources": blocks,
        "columns": [(name, arm_class(name)) for name in names[:-1]],
        "agreement": [(name, arm_class(name), cells) for name, cells in agreement(firsts)],
    }


def _nearest(table: Artifact, keys: Sequence[str]) -> dict[str, Row]:
    return {row["source"]: row for row in rows_of(table.path(".parquet"), "source", keys) if row["rank"] == 1}


def _captions_by_arm(study: Study, keys: Sequence[str]) -> dict[str, dict[str, str]]:
    """arm -> key -> caption; `""` stands for the original captions, for pair tables that no arm made."""
    texts = {
        _unit(arm, "arm"): {row["key"]: row["caption"] for row in _by_key(arm, "key", keys).values()}
        for arm in study.all("arms")
    }
    table = study.one("captions_table")
    originals = {} if table is None else _by_key(table, "key", keys)
    return {**texts, "": {key: row["original"] for key, row in originals.items()}}


def _pair_card(study: Study, table: Artifact, row: Row, texts: Mapping[str, Row], thumbs: Mapping[str, str]) -> Row:
    name = _unit(table, "pairs")
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
