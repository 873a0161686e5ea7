"""From annotations to pairs: rows read, passed on and lost by each stage, by reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from workflow_scripts.reporting.charts import stacked
from workflow_scripts.reporting.provenance import ArtifactIndex, Number, Record
from workflow_scripts.reporting.text import count, words

EXPLAINED = {
    "annotations": "rows of the annotation file kept",
    "shard_plan": "rows planned for download",
    "image_index": "images fetched and readable",
    "caption_table": "images with captions and scores",
    "select_captions": "images with a caption in this arm",
    "pair_table": "sources with a pair",
    "common_images": "images that all runs train on",
}


@dataclass(frozen=True)
class Step:
    """One stage of the flow."""

    label: str
    meaning: str
    rows_in: Number
    rows_out: Number
    dropped: list[tuple[str, Number]]
    bar: Markup


def steps(records: Sequence[Record], index: ArtifactIndex) -> list[Step]:
    """A step per record that counts rows, in the order given; bars share the width of the largest input."""
    counted = [record for record in records if record.manifest.get("rows")]
    widest = max((int(record.manifest["rows"]["in"]) for record in counted), default=0)
    return [_step(record, index, widest) for record in counted]


def _step(record: Record, index: ArtifactIndex, widest: int) -> Step:
    rows, source = record.manifest["rows"], index.manifest(record.label)
    dropped = sorted((rows.get("dropped") or {}).items(), key=lambda item: (-item[1], item[0]))
    parts = [("kept", int(rows["out"]), "kept")]
    parts += [(words(reason), int(number), f"lost lost-{at % 3}") for at, (reason, number) in enumerate(dropped)]
    return Step(
        label=record.label,
        meaning=EXPLAINED.get(record.label.split("/")[0], ""),
        rows_in=Number(count(rows["in"]), source=source, rows="rows in"),
        rows_out=Number(count(rows["out"]), source=source, rows="rows out"),
        dropped=[(words(reason), Number(count(n), source=source, rows=reason)) for reason, n in dropped],
        bar=stacked(parts, widest),
    )


def final_states(card: dict[str, Any]) -> list[tuple[str, int]]:
    """(state, rows) of a data card, most rows first; its counts stand under `states`."""
    states = card["states"]
    return sorted(((str(name), int(n)) for name, n in states.items()), key=lambda item: (-item[1], item[0]))
