"""The data card: what became of every row of the annotation zip."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from workflow_scripts.acquisition.annotation_rows import host_of
from workflow_scripts.acquisition.states import State
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.wilson import wilson

GROUPS = ("host", "subreddit", "year")
Counts = dict[str, Counter[str]]


def count_shards(tables: Iterable[Path]) -> tuple[Counter[str], dict[str, Counter[str]], dict[str, Counts]]:
    """Count the rows of download shards.

    Returns:
        Rows by state; HTTP codes by state (not of ok rows); and by host, subreddit and year, per group: states.
    """
    states: Counter[str] = Counter()
    codes: dict[str, Counter[str]] = {}
    groups: dict[str, Counts] = {name: {} for name in GROUPS}
    for path in tables:
        table = pq.read_table(path, columns=["url", "subreddit", "year", "state", "http_status"])
        for row in table.to_pylist():
            states[row["state"]] += 1
            if row["state"] != State.OK and row["http_status"] is not None:
                codes.setdefault(row["state"], Counter())[str(row["http_status"])] += 1
            of = {"host": host_of(row["url"]) or "", "subreddit": row["subreddit"], "year": str(row["year"])}
            for name in GROUPS:
                groups[name].setdefault(of[name], Counter())[row["state"]] += 1
    return states, codes, groups


def card(annotations: Mapping[str, Any], tables: Sequence[Path], confidence: float) -> dict[str, Any]:
    """The data card's content from the annotations' counts and the shards' row tables.

    Returns:
        ``rows`` of the zip; ``states`` (one number per final state, the annotations' reasons among them; they sum to
        ``rows``); ``http_status`` by state; ``kept``: the share of asked-for urls that gave an image, with its
        interval; ``host``, ``subreddit``, ``year``: the same share, and states, of each.

    Raises:
        PipelineError: the shards do not hold exactly the kept annotation rows.
    """
    states, codes, groups = count_shards(tables)
    if states.total() != annotations["kept"]:
        value = f"{states.total()} rows in shards, {annotations['kept']} kept annotation rows"
        raise PipelineError("rows unaccounted for", "data_card", value, "give all shards of one plan as inputs")
    everything = Counter(annotations["apart"]) + states
    return {
        "rows": annotations["rows"],
        "states": dict(sorted(everything.items())),
        "http_status": {state: dict(sorted(count.items())) for state, count in sorted(codes.items())},
        "kept": _share(states, confidence),
        **{
            name: {value: _share(count, confidence) | {"states": dict(sorted(count.items()))} for value, count in some}
            for name, some in ((name, sorted(groups[name].items())) for name in GROUPS)
        },
    }


def _share(states: Counter[str], confidence: float) -> dict[str, Any]:
    kept, total = states[State.OK], states.total()
    low, high = wilson(kept / total, total, confidence) if total else (0.0, 1.0)
    share = kept / total if total else None
    return {"images": kept, "urls": total, "share": share, "low": low, "high": high, "confidence": confidence}
