"""Section on test images that are among the study's images."""

from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import WITHOUT_LEAKED
from workflow_scripts.core.shards import dataset_images
from workflow_scripts.reporting.study import THUMBNAIL, Number, Study
from workflow_scripts.reporting.tables import Table
from workflow_scripts.reporting.text import caption_text, count, percent, words
from workflow_scripts.reporting.thumbnails import thumbnail

Row = dict[str, Any]
SHOWN = 6  # pairs of pictures per dataset


def leakage(study: Study) -> Row:
    """Counts by dataset, pictures of the pairs, and accuracies with and without the leaked images."""
    checks = study.all("leakage")
    datasets = {one.name: one for one in study.all("datasets")}
    vectors = [about["vectors"] for check in checks if (about := study.json(check))["vectors"]]
    return {
        "lines": [_line(study, check) for check in checks],
        "vectors": vectors[0] if vectors else None,
        "pairs": [block for check in checks if (block := _pictures(study, check, datasets.get(check.name)))],
        "scores": _scores(study),
    }


def _line(study: Study, check: Artifact) -> Row:
    about, source = study.json(check), study.source(check, ".json")
    shown = {name: Number(count(about[name]), source=source, rows=name) for name in ("test_images", "training_images")}
    for name in ("identical", "near", "by_hash", "by_vectors"):
        share = f"{percent(about[name] / about['test_images'])} %" if about["test_images"] else ""
        shown[name] = Number(count(about[name]), share, source, name)
    flat = [
        Number(count(about["nearly_of_one_colour"][part]), source=source, rows=f"nearly_of_one_colour, {part}")
        for part in ("test", "training")
    ]
    return {"dataset": about["dataset"], "flat": flat, "correlation": about["correlation"], **shown}


def _pictures(study: Study, check: Artifact, dataset: Artifact | None) -> Row | None:
    """Evenly spaced leaked test images of a dataset, each beside its closest stored image."""
    closest: dict[str, Row] = {}
    for row in study.table(check):
        closest.setdefault(row["test"], row)
    if not closest or dataset is None:
        return None
    keys = list(closest)
    chosen = keys[:: -(-len(keys) // SHOWN)]
    tests = _test_thumbnails(dataset, chosen)
    training = study.thumbnails([closest[key]["train"] for key in chosen])
    source = study.source(check, ".parquet")
    cards = []
    for key in chosen:
        row = closest[key]
        ways = [words(name) for name in row if name.startswith("by_") and row[name]]
        # The table calls all stored images training images.
        fit = f"{row['view'].replace('training', 'stored')}: {', '.join(ways)}"
        cosine = "" if row["cosine"] is None else f", cosine {row['cosine']:.2f}"
        fits = f"pixel correlation {row['correlation']:.2f}{cosine}"
        bits = Number(f"hash distance {row['distance']} bits", fits, source, f"test {key}")
        card = {"test": caption_text(key), "train": caption_text(row["train"]), "fit": fit, "bits": bits}
        cards.append(card | {"test_image": tests[key], "train_image": training.get(row["train"])})
    return {"dataset": check.name, "found": count(len(closest)), "cards": cards}


def _test_thumbnails(dataset: Artifact, keys: list[str]) -> dict[str, str]:
    column, images = pq.read_table(dataset.path(".parquet"), columns=["key"])["key"], dataset_images(dataset)
    return {key: thumbnail(images.image(pc.index(column, key).as_py()), THUMBNAIL) for key in keys}


def _scores(study: Study) -> Table:
    """Each accuracy without leaked images beside the one with all, at the headline's step."""
    summary = study.one("summary")
    rows = [] if summary is None else study.table(summary)
    whole = {_place(row, row["metric"]): row["value"] for row in rows}
    lines = [
        [row["run"], row["dataset"], words(metric), percent(whole[_place(row, metric)]), percent(row["value"])]
        for row in rows
        if row["step"] == study.settings.headline_step
        and (metric := row["metric"].removeprefix(WITHOUT_LEAKED)) != row["metric"]
    ]
    title = "Accuracy with and without test images that the search for near copies found, in %"
    return Table("leaked", title, ["run", "dataset", "metric", "all test images", "without"], lines)


def _place(row: Row, metric: str) -> tuple[str, ...]:
    return row["run"], row["step"], row["dataset"], metric
