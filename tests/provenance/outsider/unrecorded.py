"""Things that nobody recorded."""

import os
import shutil
from pathlib import Path

from tests.provenance.outsider.tools import MANIFEST, RUN, digest, dump, first, flip, keyed, read, sha256, signed, write


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
