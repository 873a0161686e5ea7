"""Run records."""

from pathlib import Path

from tests.provenance.outsider.tools import (
    LEAF,
    MANIFEST,
    RUN,
    dump,
    edit_record,
    first,
    flip,
    insert,
    keyed,
    pair,
    read,
    sha256,
    signed,
    write,
)


def record_missing(study: Path) -> None:
    """A run record is deleted."""
    (study / (LEAF + RUN)).unlink()


def record_settings(study: Path) -> None:
    """A training claims another number of steps, with a valid digest of itself."""
    path = first(study, "pretrain/*" + RUN)
    edit_record(path, settings={**read(path)["settings"], "steps": 900})


def record_settings_rekeyed(study: Path) -> None:
    """A training claims another number of steps, with a valid digest of itself and the key that belongs to them."""
    path = first(study, "pretrain/*" + RUN)
    record = read(path)
    record["settings"]["steps"] = 900
    write(path, dump(signed(keyed(record))))


def record_other_module(study: Path) -> None:
    """One module of the code that ran has another digest, with a valid digest of the record."""
    path = first(study, "summary/*" + RUN)
    closure = read(path)["closure"]
    edit_record(path, closure={**closure, min(closure): "0" * 64})


def record_other_code(study: Path) -> None:
    """Another version of a module is claimed, and the digest of all code, key and record's digest fit to it."""
    path = first(study, "summary/*" + RUN)
    record = read(path)
    record["closure"][min(record["closure"])] = "0" * 64
    record["code"] = sha256("\n".join(f"{name} {of}" for name, of in sorted(record["closure"].items())).encode())
    write(path, dump(signed(keyed(record))))


def record_no_inputs(study: Path) -> None:
    """The summary claims to be made from nothing, with a valid digest of itself."""
    edit_record(first(study, "summary/*" + RUN), inputs={}, input_files={})


def record_forgets_an_input(study: Path) -> None:
    """The leaf forgets the last of its inputs, with a valid digest and key."""
    path = study / (LEAF + RUN)
    record = read(path)
    for field in ("inputs", "input_files"):
        record[field] = {role: items[:-1] for role, items in record[field].items()}
    write(path, dump(signed(keyed(record))))


def record_input_paths_exchanged(study: Path) -> None:
    """The paths of two inputs change places, so each has the other's hash; the record's digest is valid."""
    path = first(study, "summary/*" + RUN)
    edit_record(path, input_files={role: items[::-1] for role, items in read(path)["input_files"].items()})


def record_input_paths_shorter(study: Path) -> None:
    """Hashes of inputs stay but no path of them, with a valid digest of the record."""
    path = first(study, "caption_table/*" + RUN)
    edit_record(path, input_files={role: [] for role in read(path)["input_files"]})


def record_input_twice(study: Path) -> None:
    """One probe is counted twice and the other not at all, with a valid digest and key."""
    path = first(study, "summary/*" + RUN)
    record = read(path)
    for field in ("inputs", "input_files"):
        record[field] = {role: [items[0]] * len(items) for role, items in record[field].items()}
    write(path, dump(signed(keyed(record))))


def record_invented_input(study: Path) -> None:
    """A source claims an input that is nowhere, with a valid digest of itself."""
    edit_record(
        first(study, "source/*" + RUN),
        inputs={"plan": ["ab" * 32]},
        input_files={"plan": [str(study / "shard_plan" / f"none{MANIFEST}")]},
    )


def record_points_at_other_source(study: Path) -> None:
    """A source claims to come from another path, with a valid digest of itself."""
    edit_record(first(study, "source/*" + RUN), settings={"at": "/somewhere/else"})


def record_attempts_rewritten(study: Path) -> None:
    """The table of failed downloads is replaced, and the record names the new one; no manifest and no key has it."""
    path = first(study, "download/*.attempts.parquet")
    content = flip(path.read_bytes(), 100)
    write(path, content)
    record = path.with_name(path.name.split(".")[0] + RUN)
    edit_record(record, beside={".attempts.parquet": {"bytes": len(content), "sha256": sha256(content)}})


def record_attempts_forgotten(study: Path) -> None:
    """The table of failed downloads is deleted, and the record no longer names it."""
    path = first(study, "download/*.attempts.parquet")
    path.unlink()
    edit_record(path.with_name(path.name.split(".")[0] + RUN), beside={})


def record_other_machine(study: Path) -> None:
    """A training claims another machine, versions, time and cost, with a valid digest of itself."""
    edit_record(first(study, "pretrain/*" + RUN), host="cluster", gpu_model="H100", python="3.13.0", seconds=86400.0)


def record_clean_git(study: Path) -> None:
    """A record claims a clean commit, which was not known, with a valid digest of itself."""
    edit_record(first(study, "linear_probe/*" + RUN), git={"commit": "a" * 40, "diff": None, "dirty": False})


def record_ends_before_start(study: Path) -> None:
    """A job ends before it starts, with a valid digest of the record."""
    edit_record(first(study, "summary/*" + RUN), end="2001-01-01T00:00:00.000+00:00")


def record_not_a_number(study: Path) -> None:
    """A time is NaN, which is no JSON, with a valid digest of the record."""
    edit_record(first(study, "summary/*" + RUN), seconds=float("nan"), cpu_seconds=float("inf"))


def record_huge_number(study: Path) -> None:
    """A number has so many digits that Python refuses to read it."""
    path = study / (LEAF + RUN)
    content = path.read_bytes()
    at = content.index(b'"peak_bytes": ') + len(b'"peak_bytes": ')
    write(path, content[:at] + b"9" * 5000 + content[at:])


def record_half_a_character(study: Path) -> None:
    """A text has half a character (a lone surrogate), which can't be printed, with a valid digest of the record."""
    edit_record(first(study, "annotations/*" + RUN), host="vm\ud800")


def record_repeats_key(study: Path) -> None:
    """A record names false settings first and the true ones later, so its digest still fits what most readers see."""
    insert(first(study, "pretrain/*" + RUN), '\n "settings": {"run": "simclr-self-crop-s0", "steps": 900},')


def record_second_document(study: Path) -> None:
    """A second JSON document follows the run record."""
    path = first(study, "summary/*" + RUN)
    write(path, path.read_bytes() + b'{"settings": {"alpha": 0.5}}\n')


def record_unknown_field(study: Path) -> None:
    """A record has a field that no stage writes, with a valid digest of itself."""
    edit_record(first(study, "summary/*" + RUN), approved_by="the committee")


def record_field_missing(study: Path) -> None:
    """A record no longer says what settings and environment it had, with a valid digest of itself."""
    path = first(study, "summary/*" + RUN)
    gone = ("settings", "environment", "packages", "determinism")
    write(path, dump(signed({name: value for name, value in read(path).items() if name not in gone})))


def record_without_self(study: Path) -> None:
    """A record's claim is changed and its digest of itself is left out, as if it were of an old version."""
    path = first(study, "summary/*" + RUN)
    record = {**read(path), "host": "cluster"}
    del record["self"]
    write(path, dump(record))


def record_of_types(study: Path) -> None:
    """Fields of a record have other types (a text, a list, a number for false), with a valid digest of itself."""
    edit_record(first(study, "image_index/*" + RUN), cached=0, workers="1", facts=[], inputs=[])


def record_copied(study: Path) -> None:
    """The record of one probe is copied over that of the other."""
    one, other = pair(study, "linear_probe/*" + RUN)
    write(other, one.read_bytes())


def record_copied_and_adapted(study: Path) -> None:
    """The record of one shard is copied over that of another, and its name, tables and manifest are made to fit."""
    one, other = pair(study, "download/*" + RUN)
    own = {name: read(other)[name] for name in ("artifact", "unit", "manifest", "beside")}
    write(other, dump(signed({**read(one), **own})))


def record_is_empty(study: Path) -> None:
    """A run record has zero bytes."""
    write(first(study, "caption_table/*" + RUN), b"")


def record_from_cache_entry_of_other(study: Path) -> None:
    """A record names the key of another artifact of the same stage, with a valid digest of itself."""
    one, other = pair(study, "select_captions/*" + RUN)
    edit_record(one, key=read(other)["key"])
