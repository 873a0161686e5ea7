"""Annotation zips: JSON in a zip, either of them damaged or absurd."""

import io
import json
import random
import zipfile
from functools import cache
from pathlib import Path

from tests.acquisition.zips import row
from tests.fuzz.mutate import TEXTS, json_text, mutate_bytes, mutate_tree
from tests.fuzz.target import Files, Target
from workflow_scripts.acquisition.annotations.own import gather
from workflow_scripts.acquisition.annotations.redcaps import redcaps_samples
from workflow_scripts.acquisition.annotations.rows import Filter

NAMES = ("annotations/pics_2019.json", "annotations/Pics_2020.json", "annotations/cats_2018.json")
STRANGE = (
    "annotations/../x_2019.json",
    "annotations/pics_20190.json",
    "/annotations/a_2019.json",
    "annotations/a_.json",
    "__MACOSX/annotations/._pics_2019.json",
    "annotations/",
    "README",
    "annotations/é_2019.json",
    NAMES[0],
)
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


class Fuzzed(Target):
    """Zips of one to three files."""

    def make(self, rng: random.Random) -> Files:
        """One zip."""
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            packed = rng.choice(PACKED)
            for name in rng.sample(NAMES, rng.randint(1, 3)):  # a ZipInfo has a fixed date, names alone get the clock's
                archive.writestr(zipfile.ZipInfo(_name(name, rng)), _content(rng), packed)
            if rng.random() < 0.1:
                archive.writestr(zipfile.ZipInfo(rng.choice(STRANGE)), b"{}", packed)
        data = target.getvalue()
        return {"zip": mutate_bytes(data, rng, (data,), most=3) if rng.random() < 0.3 else data}

    def run(self, folder: Path) -> str:
        """As the stage reads it; every row must be kept or counted."""
        wanted = Filter(None, None)
        samples = redcaps_samples(folder / "zip", wanted)
        counts = gather(folder / "zip", samples, wanted, 2000, folder / "kept", folder / "apart", folder)
        assert counts["rows"] == counts["kept"] + sum(counts["apart"].values())
        return "accepted"


def _name(name: str, rng: random.Random) -> str:
    return name if rng.random() < 0.95 else rng.choice(STRANGE)


def _content(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.02:
        return _bomb(rng.randrange(4))
    rows = [_row(number, rng) for number in range(rng.choice((1, 3, 8)))]
    tree = {"info": {"version": 1}, "annotations": rows}
    data = json_text(mutate_tree(tree, rng) if kind < 0.5 else tree, rng)
    return mutate_bytes(data, rng, most=2) if rng.random() < 0.2 else data


def _row(number: int, rng: random.Random) -> object:
    made = row(f"id{number}", created_utc=1_560_000_000)
    if rng.random() < 0.2:
        made[rng.choice(list(made))] = rng.choice((*TEXTS, 5, None, [], {}, 1e300, -1, True, "u/name @a a@b.c"))
    return made


@cache
def _bomb(kind: int) -> bytes:
    """Megabytes that pack into a few kB: one string, many rows, brackets, white space."""
    return (
        json.dumps({"annotations": [row("a", caption="x" * 3_000_000)]}).encode(),
        b'{"annotations": [' + b"0," * 30_000 + b"0]}",
        b'{"annotations": ' + b"[" * 100_000,
        b'{"annotations": [' + b" " * 3_000_000 + b"]}",
    )[kind]
