"""What does not belong there."""

import random
import shutil
from pathlib import Path

from tests.provenance.manipulations.tools import Changed, files_of, of_kind, replace_bytes, stem
from workflow_scripts.core.artifact import MANIFEST


def stray_file(study: Path, chance: random.Random) -> Changed:
    names = [".hidden", "notes.txt", ".DS_Store", "x.parquet", "core", " ", "a\nb", "x.run.json.bak", ".x.part"]
    folder = chance.choice([study, *(path for path in study.rglob("*") if path.is_dir())])
    path = folder / chance.choice([*names, "caf\udce9"])
    path.write_bytes(b"x")
    return {path}


def stray_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([study, study / "download", study / "pretrain"]) / chance.choice([".git", "old", "tmp"])
    path.mkdir()
    if chance.random() < 0.5:
        (path / "x").write_bytes(b"x")
    return {path, path / "x"}


def copied_artifact(study: Path, chance: random.Random) -> Changed:
    """Under another name in its own stage, or in another stage's folder."""
    artifact = stem(chance.choice(of_kind(study, "manifest")))
    stage = chance.choice([path for path in study.iterdir() if path.is_dir()])
    name = artifact.name if stage != artifact.parent and chance.random() < 0.5 else "copy"
    made = set()
    for path in files_of(artifact):
        target = stage / f"{name}{str(path).removeprefix(str(artifact))}"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
        made.add(target)
    return made


def moved_artifact(study: Path, chance: random.Random) -> Changed:
    changed = copied_artifact(study, random.Random(chance.random()))
    artifact = stem(chance.choice(of_kind(study, "manifest")))
    return changed | {artifact}


def foreign_study_inside(study: Path, chance: random.Random) -> Changed:
    target = study / chance.choice(["download", "old", "report/copy"])
    copy = shutil.copytree(study, study.parent.parent / "copy")
    target.mkdir(parents=True, exist_ok=True)
    shutil.copytree(copy, target, dirs_exist_ok=True)
    return {path for path in target.rglob("*") if path.is_file()}


def foreign_artifact(study: Path, chance: random.Random) -> Changed:
    """The files of another artifact of the same stage, with a record and a manifest that fit them."""
    shards = sorted(study.glob(f"download/*{MANIFEST}"))
    one, other = (stem(path) for path in chance.sample(shards, 2))
    for path in files_of(other):
        replace_bytes(one.parent / f"{one.name}{path.name.removeprefix(other.name)}", path.read_bytes())
    return set(files_of(one))
