"""Two Snakemakes, of two checkouts and two studies, on one results folder, with kills: every key is computed once."""

import json
import os
import random
import shutil
import signal
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.forkserver.environment import ForkServers
from tests.workflow.checkout import NANO, Checkout, give_to_user

pytestmark = pytest.mark.slow
KILLS = 2


@pytest.fixture
def pair(open_folder: Path, servers: ForkServers) -> list[Checkout]:
    """Two checkouts whose results are one folder."""
    shared = open_folder / "shared results"
    shared.mkdir()
    made = []
    for name in ("one", "two"):
        checkout = Checkout(open_folder / name).draw_no_figures()
        shutil.rmtree(checkout.folder / "results")
        (checkout.folder / "results").symlink_to(shared)
        checkout.study, checkout.snakemake = name, servers.jobs_only
        made.append(checkout)
    give_to_user(open_folder)
    return made


def start(checkout: Checkout) -> Any:
    """Its Snakemake, for the study that has the checkout's name."""
    return checkout.start(*NANO, "--config", f"study={checkout.study}")


def test_two_snakemakes_on_a_shared_cache_compute_every_key_once(pair: list[Checkout]) -> None:
    chance = random.Random(11)
    running = {checkout.study: start(checkout) for checkout in pair}
    for number in range(KILLS):
        time.sleep(chance.uniform(4, 7))
        checkout = pair[number % 2]
        os.killpg(running[checkout.study].pid, signal.SIGKILL)
        running[checkout.study].wait()
        shutil.rmtree(checkout.folder / ".snakemake/locks", ignore_errors=True)
        running[checkout.study] = start(checkout)
    statuses = {name: process.wait(timeout=3600) for name, process in running.items()}
    printed = "".join((one.folder / "terminal.txt").read_text(errors="replace")[-3000:] for one in pair)
    assert set(statuses.values()) == {0}, printed
    results = pair[0].folder / "results"
    by_key: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for checkout in pair:
        for record in checkout.records().values():
            by_key[f"{record['stage']}/{record['key']}"].append(record)
    for records in by_key.values():
        assert sum(not record["cached"] for record in records) <= 1, records
        assert len({record.get("original", record)["self"] for record in records if record["cached"]}) <= 1
        originals = [record.get("original", record) for record in records]
        assert len({(original["start"], original["manifest"]) for original in originals}) == 1
    entries = {f"{path.parent.name}/{path.name}" for path in results.glob(".cache/[a-z]*/*")}
    assert entries == by_key.keys()
    assert list(results.glob(".cache/.staging/*")) == []
    assert [path for path in results.glob(".work/*/*") if path.is_dir()] == []
    first, second = (
        {name.removeprefix(f"results/{one.study}/"): value for name, value in one.hashes().items()} for one in pair
    )
    assert {name for name in first if first[name] != second[name]} <= {
        "report/index.html",
        "report/index.manifest.json",
    }
    for checkout in pair:
        for manifest in (results / checkout.study).glob("*/*.manifest.json"):
            stem = str(manifest).removesuffix(".manifest.json")
            for suffix, recorded in json.loads(manifest.read_bytes())["files"].items():
                assert Path(f"{stem}{suffix}").stat().st_size == recorded["bytes"]
