"""JSON of manifests and run records."""

import json
import random
from pathlib import Path
from typing import Any

from tests.provenance.manipulations.tools import Changed, of_kind, places, replace_bytes, rewrite, stem
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.files.jsonio import digest, pretty


def _json_file(study: Path, chance: random.Random) -> Path:
    return chance.choice(of_kind(study, chance.choice(["manifest", "record"])))


def not_a_number(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    content = json.loads(path.read_bytes())
    where, key = chance.choice(list(places(content)))
    where[key] = chance.choice([float("nan"), float("inf"), -float("inf")])
    replace_bytes(path, json.dumps(content, indent=1).encode())
    return {path}


def repeated_key(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    replace_bytes(path, path.read_bytes().replace(b"{\n", b'{\n "stage": "other",\n', 1))
    return {path}


def not_utf8(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    replace_bytes(path, chance.choice([path.read_text().encode("utf-16"), b"\xff" + path.read_bytes(), b"\x00" * 9]))
    return {path}


def nested(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    depth = chance.choice([40, 900, 100_000])
    inner = b"[" * depth + b"]" * depth
    replace_bytes(path, path.read_bytes().replace(b"{\n", b'{\n "a": ' + inner + b",\n", 1))
    return {path}


def huge(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    with open(path, "r+b") as stream:
        stream.truncate(1 << chance.choice([33, 36]))
    return {path}


def another_json_value(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    replace_bytes(path, chance.choice([b"[]", b"null", b'"x"', b"{}", b"0", b"", b"{}{}", b'{"files": null}']))
    return {path}


def rewritten_form(study: Path, chance: random.Random) -> Changed:
    """The same meaning in other bytes."""
    path = _json_file(study, chance)
    content = json.loads(path.read_bytes())
    replace_bytes(path, chance.choice([json.dumps(content).encode(), path.read_bytes() + b"\n"]))
    return {path}


def edited_value(study: Path, chance: random.Random) -> Changed:
    """Anywhere, in the form in which the workflow writes it, but without a new digest."""
    path = _json_file(study, chance)
    content = json.loads(path.read_bytes())
    where, key = chance.choice([(one, key) for one, key in places(content) if not isinstance(one[key], dict | list)])
    where[key] = where[key] + 1 if isinstance(where[key], int | float) else f"{where[key]} edited"
    replace_bytes(path, pretty(content))
    return {path}


def wrong_type(study: Path, chance: random.Random) -> Changed:
    """Anywhere in a record, with a valid digest."""
    path = chance.choice(of_kind(study, "record"))

    def change(content: dict[str, Any]) -> None:
        where, key = chance.choice(list(places(content)))
        others = [None, True, 5, -1, 1.5, "x", "", [], {}, [[]], {"a": []}, ["x"], {"": {}}]
        where[key] = chance.choice([one for one in others if type(one) is not type(where[key])])

    rewrite(path, change)
    return {path}


def wrong_value(study: Path, chance: random.Random) -> Changed:
    """Anywhere in a record, of the right type and with a valid digest."""
    path = chance.choice(of_kind(study, "record"))

    def change(content: dict[str, Any]) -> None:
        simple = [(one, key) for one, key in places(content) if isinstance(one[key], int | float | str)]
        where, key = chance.choice(simple)
        old = where[key]
        where[key] = not old if isinstance(old, bool) else old + 1 if isinstance(old, int | float) else f"{old}x"

    rewrite(path, change)
    return {path}


def claimed_reuse(study: Path, chance: random.Random) -> Changed:
    path = chance.choice(of_kind(study, "record"))
    rewrite(path, lambda content: content.update(cached=not content["cached"]))
    return {path}


def other_unit(study: Path, chance: random.Random) -> Changed:
    """Of stages whose key has no unit, among others."""
    path = chance.choice(of_kind(study, "record"))
    rewrite(path, lambda content: content.update(unit={"name": "other"}))
    return {path}


def extra_field(study: Path, chance: random.Random) -> Changed:
    path = chance.choice(of_kind(study, "record"))
    rewrite(path, lambda content: content.update({chance.choice(["note", "Self", ""]): chance.choice([1, {}, None])}))
    return {path}


def lacking_field(study: Path, chance: random.Random) -> Changed:
    path = chance.choice(of_kind(study, "record"))
    rewrite(path, lambda content: content.pop(chance.choice(sorted(content))))
    return {path}


def impossible_times(study: Path, chance: random.Random) -> Changed:
    path = chance.choice(of_kind(study, "record"))
    times = [
        {"end": "2999-01-01T00:00:00.000+00:00"},
        {"start": "2999-01-01T00:00:00.000+00:00", "end": "2999-01-01T00:00:01.000+00:00"},
        {"end": "1999-01-01T00:00:00.000+00:00"},
        {"start": "yesterday"},
        {"start": "2026-13-45T00:00:00.000+00:00"},
    ]
    rewrite(path, lambda content: content.update(chance.choice(times)))
    return {path}


def cycle(study: Path, chance: random.Random) -> Changed:
    """An artifact that was made from one that was made from it."""
    reader = chance.choice([path for path in of_kind(study, "record") if json.loads(path.read_bytes())["input_files"]])
    files_ = json.loads(reader.read_bytes())["input_files"]
    made_from = Path(next(iter(files_.values()))[0])
    first = study / made_from.parent.name / made_from.name.replace(MANIFEST, RUN)
    consumer = reader.with_name(reader.name.replace(RUN, MANIFEST))

    def change(content: dict[str, Any]) -> None:
        content["inputs"]["again"] = [file_hash(consumer)]
        content["input_files"]["again"] = [str(consumer)]

    rewrite(first, change)
    return {first}


def name_that_leads_out(study: Path, chance: random.Random) -> Changed:
    path = chance.choice(of_kind(study, "manifest"))
    content = json.loads(path.read_bytes())
    suffix = next(iter(content["files"]))
    name = chance.choice(["/../../../../../outside/redcaps.zip", "//etc/passwd", "../x", "", "x", "/a/../../b", ".\0"])
    content["files"][name] = content["files"].pop(suffix)
    replace_bytes(path, pretty(content))
    rewrite(stem(path).with_name(stem(path).name + RUN), lambda record: record.update(manifest=digest(content)))
    return {path, stem(path).with_name(stem(path).name + RUN)}


def input_that_leads_out(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in of_kind(study, "record") if json.loads(path.read_bytes())["input_files"]])
    names = ["../../../etc/passwd", "/dev/zero", "", "x", f"results/study/../..{MANIFEST}", f"{MANIFEST}"]

    def change(content: dict[str, Any]) -> None:
        some = content["input_files"][next(iter(content["input_files"]))]
        some[0] = chance.choice(names)

    rewrite(path, change)
    return {path}


def rewritten_but_for_the_cache(study: Path, chance: random.Random) -> Changed:
    """Other data with a manifest and a record that fit; the report, which nothing was made from, among others."""
    path = chance.choice([study / "report" / f"index{MANIFEST}", *of_kind(study, "manifest")])
    content = json.loads(path.read_bytes())
    suffix = chance.choice(sorted(content["files"]))
    data = path.parent / f"{stem(path).name}{suffix}"
    replace_bytes(data, b"other bytes")
    content["files"][suffix] = {"sha256": file_hash(data), "bytes": data.stat().st_size}
    replace_bytes(path, pretty(content))
    record = stem(path).with_name(stem(path).name + RUN)
    rewrite(record, lambda one: one.update(manifest=digest(content)))
    return {path, record}
