"""A removal list on the finished small study: no trace stays, and nothing is computed that did not depend on it."""

import gzip
import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.workflow.checkout import CONFIG, Checkout, as_user, give_to_user, now
from workflow_scripts.browse.build import index_of, sources_of

pytestmark = pytest.mark.slow
OVERLAY = """annotations:
  exclude: [{ids}]
  exclude_from: removal.txt
"""


def rows_to_remove(checkout: Checkout) -> list[dict[str, Any]]:
    """Twenty rows of one shard, whose ids and captions no other row has, not even a repeated one."""
    study = checkout.folder / "results/tiny"
    rows = pq.read_table(study / "annotations/rows.parquet").to_pylist()
    shard = set(pq.read_table(study / "shard_plan/plan.parquet", filters=[("shard", "=", 0)])["key"].to_pylist())
    others = [row["caption"] for row in rows]
    twice = set(pq.read_table(study / "annotations/rows.apart.parquet")["image_id"].to_pylist())
    unique = [
        row for row in rows if row["image_id"] not in twice and sum(row["caption"] in other for other in others) == 1
    ]
    return random.Random(5).sample([row for row in unique if row["image_id"] in shard], 20)


def pictures(checkout: Checkout, rows: list[dict[str, Any]]) -> list[bytes]:
    """The bytes of the rows' images, as the demo's server has them and as the shard stores them."""
    study = checkout.folder / "results/tiny"
    found = []
    with zipfile.ZipFile(study / "demo_world/world.images.zip") as archive:
        served = {name.rpartition("/")[2].partition(".")[0]: name for name in archive.namelist()}
        found += [archive.read(served[row["image_id"]]) for row in rows if row["image_id"] in served]
    tar = (study / "download/00000.tar").read_bytes()
    table = pq.read_table(study / "download/00000.parquet", columns=["key", "offset", "bytes", "state"]).to_pylist()
    for row in table:
        if row["state"] == "ok" and row["key"] in {one["image_id"] for one in rows}:
            found.append(tar[row["offset"] : row["offset"] + row["bytes"]])
    return found


def texts(path: Path) -> Iterator[str]:
    """The strings in a table's cells, and in an unpacked text."""
    if path.name.endswith(".parquet") or (".parquet" in path.name and path.name.startswith("_")):
        for column in pq.read_table(path).columns:
            for value in column.to_pylist():
                yield from value if isinstance(value, list) else [value]
    elif path.name.endswith(".gz"):
        yield from gzip.decompress(path.read_bytes()).decode().splitlines()


def traces(checkout: Checkout, rows: list[dict[str, Any]], images: list[bytes]) -> set[str]:
    """Files that hold an image, a caption, a url or an id of the rows; not of the demo's world, which plays the web."""
    results = checkout.folder / "results"
    words = {row[name] for row in rows for name in ("caption", "raw_caption", "url", "image_id") if row[name]}
    needles = [word.encode() for row in rows for word in (row["caption"], row["url"])] + images
    found = set()
    for path in [*results.rglob("*"), *(checkout.folder / ".snakemake").rglob("*")]:
        if not path.is_file() or "demo_world" in path.parts:
            continue
        content = path.read_bytes()
        if any(needle in content for needle in needles) or not words.isdisjoint(
            value for value in texts(path) if isinstance(value, str)
        ):
            found.add(str(path.relative_to(checkout.folder)))
    return found


def test_twenty_removed_rows_leave_no_trace(copy_of: Callable[[], Checkout]) -> None:
    checkout = copy_of()
    rows = rows_to_remove(checkout)
    images = pictures(checkout, rows)
    assert len(images) > 30
    index_of(sources_of(checkout.folder / "results/tiny"))
    places = {name.split("/")[1] for name in traces(checkout, rows, images)}
    assert {"tiny", ".cache", ".fetched", ".browse"} <= places
    killed = checkout.folder / "results/.work/recaption" / ("0" * 64)
    killed.mkdir(parents=True)
    (killed / "part").write_text(rows[0]["caption"])
    ids = ", ".join(json.dumps(row["image_id"]) for row in rows[:10])
    (checkout.folder / "removal.yaml").write_text(OVERLAY.format(ids=ids))
    (checkout.folder / "removal.txt").write_text("# asked for by mail\n" + "".join(f"{r['url']}\n" for r in rows[10:]))
    give_to_user(checkout.folder)
    before, start, words = checkout.records(), now(), (*CONFIG, "removal.yaml")
    printed = checkout.finish(*words)
    assert "20 entries on the removal list" in printed and "not the project's own" not in printed
    assert traces(checkout, rows, images) == set()
    states = json.loads((checkout.folder / "results/tiny/data_card/data_card.json").read_bytes())["states"]
    assert states["excluded"] == 20
    apart = pq.read_table(checkout.folder / "results/tiny/annotations/rows.apart.parquet").to_pylist()
    assert {row["caption"] for row in apart if row["reason"] == "excluded"} == {None}
    made = {name for name, record in checkout.records(start).items() if not record["cached"]}
    assert not {name.partition("/")[0] for name in made} & {"demo_world", "eval_dataset"}
    assert {name for name in made if name.startswith("source/")} == {"source/exclude"}
    assert not made & {"download/00001", "recaption/00001"}
    assert {"download/00000", "recaption/00000", "report/index"} <= made
    assert set(checkout.records()) == set(before) | {"source/exclude"}
    hashes = checkout.hashes()
    status, printed = checkout.run(*words)
    assert status == 0 and "Nothing to be done" in printed
    assert checkout.hashes() == hashes


def test_remove_before_recomputing_reports_a_missing_removal_list(finished: Checkout) -> None:
    command = [sys.executable, "-m", "workflow_scripts.commands", "remove", "results/tiny"]
    done = subprocess.run(
        [*as_user(), *command], cwd=finished.folder, env=finished.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0 and "made without a removal list" in done.stdout
