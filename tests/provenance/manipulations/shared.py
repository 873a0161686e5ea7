"""What lies beside the study."""

import os
import random
from pathlib import Path

from tests.provenance.manipulations.tools import Changed, entry_of, of_kind, replace_bytes
from workflow_scripts.core.cache import stored


def damaged_note(study: Path, chance: random.Random) -> Changed:
    path = study.parent / ".configs" / f"{study.name}.json"
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randint(1, 255)
    replace_bytes(path, bytes(data))
    return {path}


def note_of_another_kind(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([study.parent / ".configs" / f"{study.name}.json", study.parent / ".accepted.json"])
    path.unlink()
    chance.choice([os.mkfifo, os.mkdir, lambda one: one.symlink_to("nowhere"), lambda one: one.write_text("[]")])(path)
    return {path}


def deleted_note(study: Path, chance: random.Random) -> Changed:
    path = study.parent / ".configs" / f"{study.name}.json"
    path.unlink()
    return {path}


def damaged_acceptances(study: Path, chance: random.Random) -> Changed:
    path = study.parent / ".accepted.json"
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randint(1, 255)
    replace_bytes(path, bytes(data))
    return {path}


def damaged_cache_entry(study: Path, chance: random.Random) -> Changed:
    record = chance.choice(of_kind(study, "record"))
    entry = entry_of(record)
    path = chance.choice([path for path in entry.rglob("*") if path.is_file()])
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randint(1, 255)
    replace_bytes(path, bytes(data))
    return {path, entry}


def incomplete_cache_entry(study: Path, chance: random.Random) -> Changed:
    record = chance.choice(of_kind(study, "record"))
    entry = entry_of(record)
    path = chance.choice([path for path in entry.rglob("*") if path.is_file()])
    path.unlink()
    if chance.random() < 0.5:
        os.mkfifo(path)
    return {path, entry}


def stray_file_in_the_cache(study: Path, chance: random.Random) -> Changed:
    entry = entry_of(chance.choice(of_kind(study, "record")))
    path = chance.choice([entry / "x", stored(entry, ".x"), entry / ".hidden"])
    path.write_bytes(b"x")
    return {path, entry}
