"""Names and kinds of files."""

import os
import random
import shutil
import socket
import stat
import time
from pathlib import Path

from tests.provenance.manipulations.tools import Changed, any_file, files, files_of, of_kind, stem
from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.cache import results_root

LATER = 3600.0


def deleted(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    return {path, path.with_name(stem(path).name + MANIFEST)}


def deleted_artifact(study: Path, chance: random.Random) -> Changed:
    """Without a trace in the study, the report too."""
    artifact = stem(chance.choice([*of_kind(study, "manifest"), *study.glob(f"report/*{MANIFEST}")]))
    for path in files_of(artifact):
        path.unlink()
    return {artifact.with_name(artifact.name + MANIFEST)}


def renamed_case(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    name = path.name.swapcase()
    path.rename(path.with_name(name))
    return {path, path.with_name(name), path.with_name(stem(path).name + MANIFEST)}


def hidden_by_a_dot(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.rename(path.with_name(f".{path.name}"))
    return {path, path.with_name(f".{path.name}")}


def fifo(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    os.mkfifo(path)
    return {path}


def socket_file(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path has 107 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("s")
        os.rename("s", path.name)
    finally:
        os.chdir(here)
    return {path}


def device(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    try:
        os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero never ends
    except PermissionError:
        os.mkfifo(path)
    return {path}


def folder_in_place_of_a_file(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    path.mkdir()
    if chance.random() < 0.5:
        (path / "inside").write_bytes(b"x")
    return {path}


def file_in_place_of_a_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in study.rglob("*") if path.is_dir()])
    shutil.rmtree(path)
    path.write_bytes(b"x")
    return {path}


def link_to_a_copy(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    elsewhere = results_root(path).parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    return {path}


def link_to_another_file(study: Path, chance: random.Random) -> Changed:
    one, other = chance.sample(files(study), 2)
    one.unlink()
    one.symlink_to(other)
    return {one}


def link_that_leads_nowhere(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    path.symlink_to(chance.choice(["nowhere", path.name, "/proc/self/fd/0/x"]))
    return {path}


def linked_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in study.rglob("*") if path.is_dir()])
    elsewhere = study.parent.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    return {path}


def linked_study(study: Path, chance: random.Random) -> Changed:
    elsewhere = study.parent.parent / "elsewhere"
    study.rename(elsewhere)
    study.symlink_to(elsewhere)
    return {study}


def closed_file(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.chmod(chance.choice([0o000, 0o200, 0o044]))
    return {path}


def closed_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in study.rglob("*") if path.is_dir()])
    path.chmod(chance.choice([0o000, 0o600, 0o300]))
    return {path}


def time_in_the_future(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    later = time.time() + LATER
    os.utime(path, (later, later))
    return {path}


def emptied_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in study.rglob("*") if path.is_dir()])
    inside = [one for one in path.rglob("*") if one.is_file()]
    for one in inside:
        one.unlink()
    return set(inside)


def deleted_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in study.rglob("*") if path.is_dir()])
    inside = [one for one in path.rglob("*") if one.is_file()]
    shutil.rmtree(path)
    return set(inside)
