"""Manipulations of a finished study by somebody who had read neither the code nor the tests."""

import hashlib
import json
import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

LEAF = "report/index"
MANIFEST, RUN = ".manifest.json", ".run.json"


# Helpers


def write(path: Path, content: bytes) -> None:
    """Put a new file with this content in the place of the old one, whose other names keep the old content."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def write_through(path: Path, content: bytes) -> None:
    """Overwrite the bytes in place, so that every hard link to them changes, and restore mode and times."""
    before = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
    path.chmod(stat.S_IMODE(before.st_mode))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def flip(content: bytes, at: int) -> bytes:
    """The content with one bit of one byte changed."""
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def remove(path: Path) -> None:
    """Remove a file, link or folder."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def digest(value: Any) -> str:
    """sha256 of the compact, sorted JSON, as run records use it."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def dump(value: Any) -> bytes:
    """JSON in the form that the study's own files have."""
    return (json.dumps(value, sort_keys=True, indent=1) + "\n").encode()


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())


def signed(record: dict[str, Any]) -> dict[str, Any]:
    """The record with a valid digest of itself."""
    rest = {name: value for name, value in record.items() if name != "self"}
    return {**rest, "self": digest(rest)}


def keyed(record: dict[str, Any]) -> dict[str, Any]:
    """The record with the key that its own fields give."""
    names = ("stage", "unit", "code", "settings", "inputs", "environment")
    return {**record, "key": digest({"schema": 1, **{name: record[name] for name in names}})}


def edit_record(path: Path, **fields: Any) -> None:
    """Rewrite fields of a run record and make it valid again."""
    write(path, dump(signed({**read(path), **fields})))


def edit_leaf(study: Path, manifest: dict[str, Any]) -> None:
    """Give the leaf artifact another manifest, and a run record that agrees with it."""
    write(study / (LEAF + MANIFEST), dump(manifest))
    record = read(study / (LEAF + RUN))
    edit_record(study / (LEAF + RUN), manifest=digest({**manifest, "unit": record["unit"]}))


def insert(path: Path, text: str) -> None:
    """Put text behind the first brace of a JSON file."""
    write(path, path.read_bytes().replace(b"{", b"{" + text.encode(), 1))


def first(study: Path, pattern: str) -> Path:
    """The first path by name that the pattern finds."""
    return min(study.glob(pattern))


def pair(study: Path, pattern: str) -> tuple[Path, Path]:
    """The first two paths by name that the pattern finds."""
    one, other = sorted(study.glob(pattern))[:2]
    return one, other


def swap(one: Path, other: Path) -> None:
    """Let two files or folders change places."""
    between = one.with_name(".between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def parts(study: Path, artifact: str) -> list[Path]:
    """Everything that belongs to an artifact."""
    stage, name = artifact.split("/")
    return sorted(path for path in (study / stage).iterdir() if path.name == name or path.name.startswith(name + "."))


def swap_artifacts(study: Path, one: str, other: str) -> None:
    """Let all files of two artifacts of one stage change places, and correct what their records say of themselves."""
    for path in parts(study, one):
        swap(path, study / (other + path.name.removeprefix(one.split("/")[1])))
    for artifact in (one, other):
        unit = {"name": artifact.split("/")[1]}
        edit_record(study / (artifact + RUN), artifact=artifact, unit=unit)


def entry(study: Path, artifact: str = LEAF) -> Path:
    """The cache entry of an artifact."""
    return study.parent / ".cache" / artifact.split("/")[0] / read(study / (artifact + RUN))["key"]


def outside(study: Path) -> Path:
    """A folder that is neither in the study nor in its cache."""
    folder = study.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    return folder


# Data files


def flip_last_bit_in_place(study: Path) -> None:
    """The last bit of a table is flipped in place, in the cache's hard link too; size, mode and times are as before."""
    path = first(study, "summary/*.parquet")
    write_through(path, flip(path.read_bytes(), -1))


def sparse_of_equal_size(study: Path) -> None:
    """The images of a shard become a sparse file of zeros with the old size and time."""
    path = first(study, "download/*.tar")
    before = path.stat()
    write(path, b"")
    path.chmod(0o644)
    os.truncate(path, before.st_size)
    path.chmod(stat.S_IMODE(before.st_mode))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncate_to_block(study: Path) -> None:
    """Weights are cut off at the last whole block of 512 bytes, as an unfinished copy leaves them."""
    path = max(study.glob("pretrain/*/*.safetensors"), key=lambda path: path.stat().st_size)
    write(path, path.read_bytes()[: path.stat().st_size // 512 * 512])


def append_newline(study: Path) -> None:
    """An editor added a final newline to a table of numbers."""
    path = first(study, "summary/*.csv")
    write(path, path.read_bytes() + b"\n")


def swap_tables_of_equal_size(study: Path) -> None:
    """The tables of attempts of two shards, equal in size, change places."""
    swap(*pair(study, "download/*.attempts.parquet"))


def empty_small_table(study: Path) -> None:
    """The second, small table of an artifact becomes a file of zero bytes."""
    write(first(study, "annotations/*.apart.parquet"), b"")


def delete_inner_file(study: Path) -> None:
    """One file of an artifact that is a folder is deleted, here and in the cache."""
    path = first(study, "pretrain/*/run.json")
    name = f"pretrain/{path.parent.name}"
    (entry(study, name) / "files" / "_" / "run.json").unlink()
    path.unlink()


def merge_two_files_by_hard_link(study: Path) -> None:
    """A deduplicator links the data of one arm to that of the other."""
    one, other = pair(study, "select_captions/*.parquet")
    other.unlink()
    other.hardlink_to(one)


def data_in_other_case(study: Path) -> None:
    """A file system without case renamed a table's suffix to capitals."""
    path = first(study, "caption_table/*.parquet")
    path.rename(path.with_suffix(".PARQUET"))


def data_with_trailing_space(study: Path) -> None:
    """A table's name ends in a blank now."""
    path = first(study, "shard_plan/*.parquet")
    path.rename(path.with_name(path.name + " "))


def data_is_folder(study: Path) -> None:
    """A folder of a data file's name, holding the file, stands in the place of the file."""
    path = first(study, "image_index/*.json")
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    (path / path.name).write_bytes(content)


def data_is_pipe(study: Path) -> None:
    """A named pipe, which blocks every reader, stands in the place of a data file."""
    path = first(study, "recaption/*.parquet")
    path.unlink()
    os.mkfifo(path)


def data_is_socket(study: Path) -> None:
    """A socket stands in the place of a data file."""
    path = first(study, "linear_probe/*.parquet")
    path.unlink()
    here = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path.name)
    os.fchdir(here)
    os.close(here)


def data_links_to_endless_device(study: Path) -> None:
    """A data file is a link to /dev/zero, which never ends."""
    path = first(study, "summary/*.csv")
    path.unlink()
    path.symlink_to("/dev/zero")


def data_dangling_link(study: Path) -> None:
    """A data file is a link to something that is not there."""
    path = first(study, "select_captions/*.json")
    path.unlink()
    path.symlink_to("gone.json")


def data_links_outside(study: Path) -> None:
    """A table was moved out of the results and a link put in its place, so anybody may change it there."""
    path = first(study, "summary/*.parquet")
    target = outside(study) / path.name
    path.rename(target)
    path.symlink_to(target)


def data_links_to_itself(study: Path) -> None:
    """A data file is a link to itself."""
    path = first(study, "report/*.html")
    path.unlink()
    path.symlink_to(path.name)


# Folders


def stage_links_outside(study: Path) -> None:
    """A stage's folder was moved out of the results and a link put in its place."""
    path = study / "linear_probe"
    target = outside(study) / path.name
    path.rename(target)
    path.symlink_to(target)


def run_folder_links_to_other(study: Path) -> None:
    """The folder of one training is a link to the folder of another."""
    one, other = (path for path in sorted((study / "pretrain").iterdir()) if path.is_dir())
    shutil.rmtree(other)
    other.symlink_to(one.name)


def swap_run_folders(study: Path) -> None:
    """The folders with the weights of two trainings change places; manifests and records stay."""
    swap(*(path for path in sorted((study / "pretrain").iterdir()) if path.is_dir()))


def rename_stage(study: Path) -> None:
    """A stage's folder has a capital now."""
    (study / "summary").rename(study / "Summary")


def delete_stage(study: Path) -> None:
    """A whole stage is deleted."""
    shutil.rmtree(study / "recaption")


def stage_is_file(study: Path) -> None:
    """A file stands in the place of a stage's folder."""
    remove(study / "report")
    (study / "report").write_bytes(b"")


def empty_study(study: Path) -> None:
    """Everything in the study is deleted; the folder stays."""
    for path in study.iterdir():
        remove(path)


def delete_leaf_and_cache(study: Path) -> None:
    """The artifact that nothing is made from is deleted without a trace, and so is its cache entry."""
    shutil.rmtree(entry(study))
    for path in parts(study, LEAF):
        remove(path)


def leaf_in_subfolder(study: Path) -> None:
    """All files of an artifact lie one folder deeper."""
    folder = study / "report" / "old"
    folder.mkdir()
    for path in parts(study, LEAF):
        path.rename(folder / path.name)


# Things that nobody recorded


def extra_weights(study: Path) -> None:
    """A second file of weights lies in the folder of a training."""
    path = first(study, "pretrain/*/*.safetensors")
    write(path.with_name("best.safetensors"), flip(path.read_bytes(), 0))


def extra_suffix(study: Path) -> None:
    """An artifact has a data file more, of another suffix, than its manifest names."""
    first(study, "summary/*.csv").with_suffix(".tsv").write_bytes(b"run\taccuracy\nmine\t0.99\n")


def hidden_data(study: Path) -> None:
    """A hidden table lies beside the others."""
    (study / "summary" / ".summary.parquet").write_bytes(b"hidden")


def name_that_is_not_text(study: Path) -> None:
    """A file lies there whose name is not valid UTF-8 and has a line break."""
    Path(os.fsdecode(os.fsencode(study / "select_captions") + b"/revised\xff\n.parquet")).write_bytes(b"x")


def lookalike_name(study: Path) -> None:
    """A changed table stands beside the true one under a name that looks the same (a Cyrillic letter)."""
    path = first(study, "summary/*.parquet")
    path.with_name(path.name.replace("a", "\u0430", 1)).write_bytes(flip(path.read_bytes(), 9))


def invented_artifact(study: Path) -> None:
    """A whole artifact that no job made is added, its record valid but for the numbers."""
    source, target = study / "linear_probe/simclr-self-crop-s0.last", "linear_probe/simclr-self-crop-s1.last"
    content = flip(Path(f"{source}.parquet").read_bytes(), 20)
    (study / f"{target}.parquet").write_bytes(content)
    manifest = read(Path(str(source) + MANIFEST))
    manifest["unit"] = {"name": target.split("/")[1]}
    manifest["files"][".parquet"] = {"bytes": len(content), "sha256": sha256(content)}
    write(study / (target + MANIFEST), dump(manifest))
    record = {**read(Path(str(source) + RUN)), "artifact": target, "unit": manifest["unit"]}
    write(study / (target + RUN), dump(signed(keyed({**record, "manifest": digest(manifest)}))))


def nameless_artifact(study: Path) -> None:
    """A changed copy of an artifact is added whose name is empty, so that its files are hidden."""
    write(study / "summary" / ".csv", b"run,accuracy\nmine,0.99\n")
    for suffix in (MANIFEST, RUN):
        shutil.copy(study / ("summary/summary" + suffix), study / "summary" / suffix)


def manifest_in_data_folder(study: Path) -> None:
    """A manifest lies inside the folder of a training."""
    path = first(study, "pretrain/*/run.json")
    shutil.copy(Path(str(path.parent) + MANIFEST), path.with_name("last" + MANIFEST))


def study_in_study(study: Path) -> None:
    """A changed copy of a stage lies in a folder of the study that no stage has."""
    shutil.copytree(study / "summary", study / "summary_final")
    write(study / "summary_final" / "summary.csv", b"run,accuracy\nmine,0.99\n")


# Manifests


def manifest_count_edited(study: Path) -> None:
    """A manifest counts one row more."""
    path = first(study, "annotations/*" + MANIFEST)
    manifest = read(path)
    manifest["rows"]["out"] += 1
    write(path, dump(manifest))


def leaf_manifest_repeats_key(study: Path) -> None:
    """The leaf's manifest names other counts first and the true ones later: most readers see only the last."""
    insert(study / (LEAF + MANIFEST), '\n "rows": {"dropped": {}, "in": 9, "out": 9},')


def leaf_manifest_true_for_one(study: Path) -> None:
    """A number of the leaf's manifest becomes true, which Python takes for 1; the run record agrees."""
    edit_leaf(study, {**read(study / (LEAF + MANIFEST)), "schema": True})


def leaf_manifest_decimal_bytes(study: Path) -> None:
    """The size of a file becomes a decimal number in the leaf's manifest; the run record agrees."""
    manifest = read(study / (LEAF + MANIFEST))
    for file in manifest["files"].values():
        file["bytes"] = float(file["bytes"])
    edit_leaf(study, manifest)


def leaf_manifest_rows(study: Path) -> None:
    """Rows that were dropped are hidden in the leaf's manifest, and the run record agrees; the cache does not."""
    edit_leaf(study, {**read(study / (LEAF + MANIFEST)), "rows": {"dropped": {}, "in": 4, "out": 4}})


def leaf_rewritten_but_cache(study: Path) -> None:
    """The leaf's data, manifest and run record are rewritten and agree; the cache has the true ones."""
    path, manifest = first(study, "report/*.html"), read(study / (LEAF + MANIFEST))
    content = path.read_bytes() + b"<p>significant</p>"
    write(path, content)
    manifest["files"][path.suffix] = {"bytes": len(content), "sha256": sha256(content)}
    edit_leaf(study, manifest)


def leaf_manifest_without_files(study: Path) -> None:
    """The leaf's page is deleted, its manifest names no file, and the run record agrees."""
    first(study, "report/*.html").unlink()
    edit_leaf(study, {**read(study / (LEAF + MANIFEST)), "files": {}})


def leaf_manifest_names_foreign_file(study: Path) -> None:
    """The leaf's manifest also claims a file of another stage by a path with dots; the run record agrees."""
    manifest = read(study / (LEAF + MANIFEST))
    path = first(study, "summary/*.csv")
    there = f"/../../summary/{path.name}"
    manifest["files"][there] = {"bytes": path.stat().st_size, "sha256": sha256(path.read_bytes())}
    edit_leaf(study, manifest)


def manifest_with_byte_order_mark(study: Path) -> None:
    """An editor stored a manifest with a byte order mark."""
    path = first(study, "source/*" + MANIFEST)
    write(path, b"\xef\xbb\xbf" + path.read_bytes())


def leaf_manifest_other_encoding(study: Path) -> None:
    """The leaf's manifest is stored as UTF-16, which some readers decode unasked."""
    path = study / (LEAF + MANIFEST)
    write(path, path.read_bytes().decode().encode("utf-16"))


def manifest_is_list(study: Path) -> None:
    """A manifest is valid JSON, but a list."""
    path = first(study, "shard_plan/*" + MANIFEST)
    write(path, b"[" + path.read_bytes() + b"]\n")


def manifest_very_deep(study: Path) -> None:
    """A manifest is nested more deeply than a parser can go."""
    write(study / (LEAF + MANIFEST), b'{"files": ' + b"[" * 200_000 + b"]" * 200_000 + b"}\n")


def manifest_is_pipe(study: Path) -> None:
    """A named pipe stands in the place of a manifest."""
    path = first(study, "summary/*" + MANIFEST)
    path.unlink()
    os.mkfifo(path)


def manifest_missing(study: Path) -> None:
    """The leaf's manifest is deleted; data and record stay."""
    (study / (LEAF + MANIFEST)).unlink()


def manifest_file_cut(study: Path) -> None:
    """The end of a manifest became zeros, as after a power failure."""
    path = first(study, "image_index/*" + MANIFEST)
    content = path.read_bytes()
    write(path, content[:256].ljust(len(content), b"\0"))


def file_dropped_from_manifest(study: Path) -> None:
    """A middle artifact loses a file, and so do its manifest, its record and its cache entry; consumers stay."""
    name = "select_captions/original"
    manifest, folder = read(study / (name + MANIFEST)), entry(study, name)
    del manifest["files"][".json"]
    for path in (study / (name + ".json"), folder / "files" / "_.json"):
        path.unlink()
    for path in (study / (name + MANIFEST), folder / "manifest.json"):
        write(path, dump(manifest))
    for path in (study / (name + RUN), folder / "run.json"):
        edit_record(path, manifest=digest(manifest))


# Run records


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


# Whole artifacts in the place of others


def swap_shards(study: Path) -> None:
    """All files of two caption shards change places, and their records are made to say so."""
    swap_artifacts(study, "recaption/00000", "recaption/00001")


def swap_arms(study: Path) -> None:
    """All files of two arms change places, as they are."""
    for suffix in (".json", ".parquet", MANIFEST, RUN):
        swap(*(study / f"select_captions/{name}{suffix}" for name in ("original", "revised")))


def renumber_shard(study: Path) -> None:
    """All files of the last shard get another number, and its record a fitting name and digest."""
    for path in parts(study, "download/00003"):
        path.rename(path.with_name(path.name.replace("00003", "00030", 1)))
    edit_record(study / ("download/00030" + RUN), artifact="download/00030", unit={"name": "00030"})


def artifact_of_other_study(study: Path) -> None:
    """A table and its manifest come from another study; the record is still this one's."""
    path = first(study, "caption_table/*.parquet")
    content = path.read_bytes()[::-1]
    write(path, content)
    target = path.with_name(path.stem + MANIFEST)
    manifest = read(target)
    manifest["files"] = {path.suffix: {"bytes": len(content), "sha256": sha256(content)}}
    write(target, dump(manifest))


def middle_rewritten_with_cache(study: Path) -> None:
    """A probe's numbers, manifest, record and cache entry are rewritten and agree; the summary names the old ones."""
    name = "linear_probe/simclr-self-crop-s0.last"
    manifest, folder = read(study / (name + MANIFEST)), entry(study, name)
    content = flip((study / f"{name}.parquet").read_bytes(), 50)
    manifest["files"][".parquet"]["sha256"] = sha256(content)
    for path in (study / f"{name}.parquet", folder / "files" / "_.parquet"):
        write(path, content)
    for path in (study / (name + MANIFEST), folder / "manifest.json"):
        write(path, dump(manifest))
    for path in (study / (name + RUN), folder / "run.json"):
        edit_record(path, manifest=digest(manifest))


def stale_middle_with_relinked_consumer(study: Path) -> None:
    """A training's manifest is rewritten, and its probe's record names the new one, but both keep their old keys."""
    name = "pretrain/simclr-self-crop-s0"
    manifest = read(study / (name + MANIFEST))
    manifest["rows"] = {"dropped": {}, "in": 4, "out": 4}
    write(study / (name + MANIFEST), dump(manifest))
    edit_record(study / (name + RUN), manifest=digest(manifest))
    new = sha256((study / (name + MANIFEST)).read_bytes())
    edit_record(study / ("linear_probe/simclr-self-crop-s0.last" + RUN), inputs={"runs": [new]})


# The cache and the note of the config


def cache_file_replaced(study: Path) -> None:
    """The cache's copy of a table, no longer a hard link, has another bit; the study's own is as it was."""
    path = first(entry(study, "summary/summary"), "files/*.parquet")
    write(path, flip(path.read_bytes(), 7))


def cache_file_missing(study: Path) -> None:
    """One of two files of a cache entry is gone."""
    first(entry(study, "summary/summary"), "files/*.csv").unlink()


def cache_entries_swapped(study: Path) -> None:
    """The cache entries of two trainings change places, so each key gives the other's weights."""
    swap(*pair(study.parent, ".cache/pretrain/*"))


def cache_manifest_edited(study: Path) -> None:
    """The manifest in a cache entry counts other rows."""
    path = entry(study, "annotations/rows") / "manifest.json"
    write(path, dump({**read(path), "rows": {"dropped": {}, "in": 4, "out": 4}}))


def cache_record_edited(study: Path) -> None:
    """The record in a cache entry claims other settings, with a valid digest of itself."""
    path = entry(study, "pretrain/simclr-self-crop-s0") / "run.json"
    edit_record(path, settings={"run": "simclr-self-crop-s0", "steps": 900})


def cache_manifest_missing(study: Path) -> None:
    """A cache entry has no manifest."""
    (entry(study, "shard_plan/plan") / "manifest.json").unlink()


def cache_extra_file(study: Path) -> None:
    """A cache entry holds a file that its manifest does not name."""
    (entry(study, "summary/summary") / "files" / "_.tsv").write_bytes(b"run\taccuracy\n")


def cache_entry_links_outside(study: Path) -> None:
    """The cache entry of the summary is a link to a changed copy outside."""
    path = entry(study, "summary/summary")
    target = outside(study) / path.name
    path.rename(target)
    path.symlink_to(target)
    write(first(target, "files/*.csv"), b"run,accuracy\nmine,0.99\n")


def note_of_config_shortened(study: Path) -> None:
    """The leaf is deleted and crossed off the config's list of artifacts, whose digest is left as it was."""
    for path in parts(study, LEAF):
        remove(path)
    path = study.parent / ".configs" / f"{study.name}.json"
    note = read(path)
    write(path, dump({**note, "artifacts": [name for name in note["artifacts"] if name != LEAF]}))


def note_of_config_missing(study: Path) -> None:
    """The leaf is deleted, and so is the note of what the config requests."""
    for path in parts(study, LEAF):
        remove(path)
    (study.parent / ".configs" / f"{study.name}.json").unlink()


def note_of_config_rewritten(study: Path) -> None:
    """The config's list no longer has the leaf, with a valid digest, while the leaf is still there."""
    path = study.parent / ".configs" / f"{study.name}.json"
    edit_record(path, artifacts=[name for name in read(path)["artifacts"] if name != LEAF])


MANIPULATIONS: list[Callable[[Path], None]] = [
    flip_last_bit_in_place,
    sparse_of_equal_size,
    truncate_to_block,
    append_newline,
    swap_tables_of_equal_size,
    empty_small_table,
    delete_inner_file,
    merge_two_files_by_hard_link,
    data_in_other_case,
    data_with_trailing_space,
    data_is_folder,
    data_is_pipe,
    data_is_socket,
    data_links_to_endless_device,
    data_dangling_link,
    data_links_outside,
    data_links_to_itself,
    stage_links_outside,
    run_folder_links_to_other,
    swap_run_folders,
    rename_stage,
    delete_stage,
    stage_is_file,
    empty_study,
    delete_leaf_and_cache,
    leaf_in_subfolder,
    extra_weights,
    extra_suffix,
    hidden_data,
    name_that_is_not_text,
    lookalike_name,
    invented_artifact,
    nameless_artifact,
    manifest_in_data_folder,
    study_in_study,
    manifest_count_edited,
    leaf_manifest_repeats_key,
    leaf_manifest_true_for_one,
    leaf_manifest_decimal_bytes,
    leaf_manifest_rows,
    leaf_rewritten_but_cache,
    leaf_manifest_without_files,
    leaf_manifest_names_foreign_file,
    manifest_with_byte_order_mark,
    leaf_manifest_other_encoding,
    manifest_is_list,
    manifest_very_deep,
    manifest_is_pipe,
    manifest_missing,
    manifest_file_cut,
    file_dropped_from_manifest,
    record_missing,
    record_settings,
    record_settings_rekeyed,
    record_other_module,
    record_other_code,
    record_no_inputs,
    record_forgets_an_input,
    record_input_paths_exchanged,
    record_input_paths_shorter,
    record_input_twice,
    record_invented_input,
    record_points_at_other_source,
    record_attempts_rewritten,
    record_attempts_forgotten,
    record_other_machine,
    record_clean_git,
    record_ends_before_start,
    record_not_a_number,
    record_huge_number,
    record_half_a_character,
    record_repeats_key,
    record_second_document,
    record_unknown_field,
    record_field_missing,
    record_without_self,
    record_of_types,
    record_copied,
    record_copied_and_adapted,
    record_is_empty,
    record_from_cache_entry_of_other,
    swap_shards,
    swap_arms,
    renumber_shard,
    artifact_of_other_study,
    middle_rewritten_with_cache,
    stale_middle_with_relinked_consumer,
    cache_file_replaced,
    cache_file_missing,
    cache_entries_swapped,
    cache_manifest_edited,
    cache_record_edited,
    cache_manifest_missing,
    cache_extra_file,
    cache_entry_links_outside,
    note_of_config_shortened,
    note_of_config_missing,
    note_of_config_rewritten,
]
