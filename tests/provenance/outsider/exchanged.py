"""Whole artifacts in the place of others."""

from pathlib import Path

from tests.provenance.outsider.tools import (
    MANIFEST,
    RUN,
    digest,
    dump,
    edit_record,
    entry,
    first,
    flip,
    parts,
    read,
    sha256,
    swap,
    swap_artifacts,
    write,
)


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
