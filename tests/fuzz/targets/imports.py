"""Tars that img2dataset may have written."""

import json
import random
from pathlib import Path

from tests.fuzz.mutate import json_text, mutate_bytes, mutate_tree
from tests.fuzz.tar_files import tar
from tests.fuzz.target import Files, Target
from tests.fuzz.targets.images import pictures
from workflow_scripts.acquisition.shards.imports import ImportIndex

URLS = [f"http://a.test/{number}.jpg" for number in range(6)]


class Fuzzed(Target):
    """A folder with one shard or two."""

    def make(self, rng: random.Random) -> Files:
        """Images that need not be whole: what they are is checked behind the index."""
        return {f"in/{number}.tar": tar(_members(rng), rng) for number in range(rng.choice((1, 1, 1, 2)))}

    def run(self, folder: Path) -> str:
        """Index the folder and read all images that are wanted."""
        results = folder / "results"
        results.mkdir()
        found = list(ImportIndex(folder / "in", results, 100_000).images([*URLS, "http://a.test/none.jpg"]))
        assert all(url in URLS and len(data) <= 100_000 for url, data in found)
        return "accepted"


def _members(rng: random.Random) -> dict[str, bytes]:
    members = {}
    for number, url in enumerate(URLS):
        sample = {"url": url, "key": f"{number:09d}", "status": "success", "caption": "words"}
        described = json.dumps(sample).encode()
        if rng.random() < 0.1:
            described = json_text(mutate_tree(sample, rng), rng)
        members[f"{number:09d}.jpg"] = mutate_bytes(pictures()[0], rng) if rng.random() < 0.2 else pictures()[0]
        members[f"{number:09d}.json"] = described
    return members
