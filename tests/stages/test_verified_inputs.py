"""Every stage refuses every damaged file that it computes from, and never keeps what it computed from one."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.file_bytes import npy
from tests.stages.nano_study import Job, Owned, dry_run, files_of
from workflow_scripts.core import inputs
from workflow_scripts.core.artifact import Artifact, command_for
from workflow_scripts.core.runtime import stage as core_stage
from workflow_scripts.embeddings import images as image_vectors
from workflow_scripts.reporting.figures import Figure

WITH_INPUTS = (
    "annotations",
    "caption_quality",
    "caption_table",
    "data_card",
    "download",
    "embed_captions",
    "embed_images",
    "discrimination",
    "eval_dataset",
    "eval_images",
    "features",
    "few_shot",
    "image_hashes",
    "image_index",
    "knn",
    "leakage",
    "linear_probe",
    "pair_quality",
    "pair_table",
    "pretrain",
    "recaption",
    "report",
    "saliency",
    "select_captions",
    "shard_plan",
    "summary",
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Job]]:
    """The jobs of the smallest study, done."""
    folder = tmp_path_factory.mktemp("study")
    jobs = dry_run(folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setattr(Figure, "inline", "")  # drawing is most of a report's time, and reads no files
        patched.setattr(Figure, "files", lambda _: {})
        for job in jobs:
            assert job.run() == "", job
        yield jobs


def images_in(path: Path) -> bool:
    """Whether a file is read image by image."""
    return path.suffix == ".tar" and path.with_suffix(".parquet").exists()


def damaged(path: Path) -> bytes:
    """Other bytes of the same size: rows in another order, another byte in each image, else one in the middle."""
    data = bytearray(path.read_bytes())
    if path.suffix == ".npy" and len(np.load(path)) > 1:
        return npy(np.load(path)[::-1])
    places = [len(data) // 2]
    if images_in(path):
        rows = pq.read_table(path.with_suffix(".parquet")).to_pylist()
        places = [row["offset"] + 40 for row in rows if row["offset"]]
    for place in places:
        data[place] ^= 1
    return bytes(data)


def write(path: Path, data: bytes) -> None:
    """Write in place, so that the cache's hard link changes too, and set the times back."""
    times = path.stat()
    mode = times.st_mode
    path.chmod(0o644)
    with open(path, "r+b") as stream:
        stream.write(data)
    path.chmod(mode)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextmanager
def replaced(path: Path, data: bytes) -> Iterator[None]:
    """``path`` with other bytes for a while."""
    before = path.read_bytes()
    write(path, data)
    try:
        yield
    finally:
        write(path, before)


def last_of(study: list[Job], stage: str) -> Job:
    """The last job of a stage."""
    return [one for one in study if one.stage == stage][-1]


def from_scratch(job: Job) -> str:
    """Run a job whose result is not in the cache."""
    for entry in job.entries():
        shutil.rmtree(entry)
    return job.run()


@cache
def split(job: Job) -> tuple[list[Owned], list[Owned]]:
    """The files that a job looks for, and the others that it could find."""
    looked_for = set()
    location = Artifact.location

    def noted(artifact: Artifact, suffix: str) -> Path:
        looked_for.add(location(artifact, suffix))
        return location(artifact, suffix)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Artifact, "location", noted)
        assert from_scratch(job) == ""
    every = files_of(job)
    assert looked_for <= {path for path, _ in every}
    return [one for one in every if one[0] in looked_for], [one for one in every if one[0] not in looked_for]


@pytest.mark.parametrize("stage", WITH_INPUTS)
def test_a_damaged_input_is_refused_or_not_used(study: list[Job], stage: str) -> None:
    job = last_of(study, stage)
    expected = job.manifest.read_bytes()
    used, unused = split(job)
    assert used
    for path, owner in used:
        with replaced(path, damaged(path)):
            said = from_scratch(job)
        pattern = rf"error: damaged (input|image) in {path}: .*sha256 .* instead of the recorded .*; "
        assert re.match(pattern, said), said
        assert said.endswith(f"recompute it with: {command_for(owner)}")
        assert not job.entries()
    if unused:
        with ExitStack() as held:
            for path, data in [(path, damaged(path)) for path, _ in unused]:  # images need their intact table
                held.enter_context(replaced(path, data))
            assert from_scratch(job) == ""
    assert job.manifest.read_bytes() == expected


@pytest.mark.parametrize("stage", WITH_INPUTS)
def test_an_input_changed_during_the_job_is_detected(
    study: list[Job], stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was read is known to be right, or nothing is kept; what was in memory by then may change."""
    job = last_of(study, stage)
    expected = job.manifest.read_bytes()
    path = next(path for path, _ in split(job)[0] if not images_in(path))
    before, check = path.read_bytes(), inputs.check_unchanged

    def late() -> None:
        write(path, damaged(path))
        check()

    monkeypatch.setattr(core_stage, "check_unchanged", late)
    said = from_scratch(job)
    write(path, before)
    if stage == "pretrain":
        assert said == "" and job.manifest.read_bytes() == expected
    else:
        assert said.startswith(f"error: damaged input in {path}: ")
        assert not job.entries()


def test_a_permuted_embedding_is_refused_and_can_be_repaired(study: list[Job]) -> None:
    embed, search = last_of(study, "embed_captions"), last_of(study, "pair_table")
    expected, vectors = search.manifest.read_bytes(), embed.manifest.with_name("revised.minilm.npy")
    right = vectors.read_bytes()
    write(vectors, damaged(vectors))
    assert from_scratch(search).startswith(f"error: damaged input in {vectors}: ")
    assert not search.entries()
    assert embed.run() == ""  # as the advice says; the cache's entry is the same file, so it can't serve it
    assert vectors.read_bytes() == right
    assert search.run() == "" and search.manifest.read_bytes() == expected


def test_a_missing_file_is_linked_only_from_an_intact_cache_entry(study: list[Job]) -> None:
    embed, search = last_of(study, "embed_captions"), last_of(study, "pair_table")
    expected, vectors = search.manifest.read_bytes(), embed.manifest.with_name("revised.minilm.npy")
    assert from_scratch(embed) == ""  # so that the cache holds it, whatever other tests left there
    kept = next(path for entry in embed.entries() for path in entry.glob("files/_.npy"))
    with replaced(kept, damaged(kept)):
        vectors.unlink()
        said = from_scratch(search)
        assert said.startswith(f"error: missing data file in {vectors}: not in the results, nor intact in the cache")
        assert not vectors.exists() and not search.entries()
    assert from_scratch(search) == "" and search.manifest.read_bytes() == expected
    assert os.path.samefile(vectors, kept)


def test_vectors_of_a_model_changed_during_use_are_discarded(
    study: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vector file in the work folder outlives the job, so the model is looked at before each is kept."""
    job = last_of(study, "embed_images")
    work = job.manifest.parents[2] / ".work" / "embed_images"
    shutil.rmtree(work, ignore_errors=True)
    given = next(word for word in job.argv if word.startswith("encoder=workflow_scripts"))
    model = tmp_path / "model"
    shutil.copytree(given.partition("=")[2], model)
    argv = [f"encoder={model}" if word == given else word for word in job.argv]
    weights = model / "model.safetensors"
    compute = image_vectors.unit_rows

    def meanwhile(vectors: np.ndarray) -> np.ndarray:
        write(weights, damaged(weights))
        return compute(vectors)

    monkeypatch.setattr(image_vectors, "unit_rows", meanwhile)
    said = from_scratch(Job(job.stage, job.manifest, argv, job.inputs))
    assert said.startswith(f"error: source encoder changed since it was hashed in {weights}: sha256 is ")
    assert not job.entries()
    assert not list(work.glob("*/vectors-*"))
