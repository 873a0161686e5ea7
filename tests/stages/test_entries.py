"""An entry of a registry is in the code of the jobs that use it, and of no others."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.study.config.configs import planned
from workflow_scripts.core import digest
from workflow_scripts.core.digest import PACKAGE, Uses
from workflow_scripts.study.config.stages import declaration
from workflow_scripts.study.plan import planned_jobs

# Registry (a package, or a module with rows), an entry, the stage whose jobs it is for, and which of these use it.
EDITED: list[tuple[str, str, str, Callable[[Mapping[str, Any]], bool]]] = [
    ("pretraining.methods", "simsiam", "pretrain", lambda job: job["method"] == "simsiam"),
    ("pretraining.methods", "clip", "pretrain", lambda job: job["method"] == "clip"),
    ("pretraining.augmentations", "crop", "pretrain", lambda job: job["augmentation"] == "crop"),
    ("models.backbones", "resnet34", "pretrain", lambda job: job["backbone"] == "resnet34"),
    ("captions.arms", "shuffled", "select_captions", lambda job: job["kind"] == "shuffled"),
    ("captions.arms", "mixed", "select_captions", lambda job: job["kind"] == "mixed"),
    ("pairs.kinds", "random", "pair_table", lambda job: job["kind"] == "random"),
    ("models.judges", "clip", "score_captions", lambda job: job["kind"] == "clip"),
    ("models.judges", "siglip", "score_captions", lambda job: job["kind"] == "siglip"),
    ("embeddings.text_encoders", "word_vectors", "embed_captions", lambda job: job["kind"] == "word_vectors"),
    ("embeddings.image_encoders", "blip2", "embed_images", lambda job: job["kind"] == "blip2"),
    ("evaluation.datasets.registry", "cifar10", "eval_dataset", lambda job: job.get("torchvision_name") == "cifar10"),
    ("evaluation.datasets.kinds", "imagenet_s", "eval_dataset", lambda job: job["kind"] == "imagenet_s"),
]
STAGES = {stage for _, _, stage, _ in EDITED}


@pytest.fixture(scope="module")
def jobs() -> list[tuple[str, Mapping[str, Any], Uses]]:
    """Stage, settings and entries of the jobs of two studies."""
    found = []
    for units in (planned(), planned("tests/config/tiny.yaml")):
        for job in planned_jobs(units, Path("results/study")):
            if job.stage in STAGES and (stage := declaration(job.stage)):
                settings = units.settings(job.stage, job.unit)
                found.append((job.stage, settings, stage.uses(settings)))
    return found


def digests(jobs: list[tuple[str, Mapping[str, Any], Uses]]) -> list[str]:
    """The code of each job, as it is now."""
    digest.code_digest.cache_clear()
    return [digest.code_digest(stage, uses) for stage, _, uses in jobs]


def patched(monkeypatch: pytest.MonkeyPatch, module: str, change: Callable[[Any], Any]) -> None:
    """Let a module be read as ``change`` gives it."""
    read, path = digest._module, digest.module_path(f"{PACKAGE}.{module}")
    monkeypatch.setattr(digest, "_module", lambda one: change(read(one)) if one == path else read(one))


@pytest.mark.parametrize(("registry", "entry", "stage", "is_used"), EDITED)
def test_an_edited_entry_changes_the_code_of_the_jobs_that_use_it(
    jobs: list[tuple[str, Mapping[str, Any], Uses]],
    monkeypatch: pytest.MonkeyPatch,
    registry: str,
    entry: str,
    stage: str,
    is_used: Callable[[Mapping[str, Any]], bool],
) -> None:
    before = digests(jobs)
    if digest.module_path(f"{PACKAGE}.{registry}").name == "__init__.py":
        patched(monkeypatch, f"{registry}.{entry}", lambda one: one._replace(parsed=one.parsed._replace(code="edited")))
    else:
        patched(
            monkeypatch,
            registry,
            lambda one: one._replace(
                parsed=one.parsed._replace(rows={**one.parsed.rows, entry: ["edited", *one.parsed.rows[entry][1:]]})
            ),
        )
    after = digests(jobs)
    changed = [job for job, then, now in zip(jobs, before, after, strict=True) if then != now]
    assert changed == [job for job in jobs if job[0] == stage and is_used(job[1])]


@pytest.mark.parametrize("registry", sorted({registry for registry, *_ in EDITED}))
def test_a_new_entry_changes_the_code_of_no_job(
    jobs: list[tuple[str, Mapping[str, Any], Uses]], monkeypatch: pytest.MonkeyPatch, registry: str
) -> None:
    before, read, rows = digests(jobs), digest._module, 0
    package, path = f"{PACKAGE}.{registry}", digest.module_path(f"{PACKAGE}.{registry}")

    def with_new(one: Path) -> Any:
        nonlocal rows
        module = read(one)
        if one == path and module.parsed.rows:
            rows += 1
            return module._replace(parsed=module.parsed._replace(rows={**module.parsed.rows, "new": ["new"]}))
        if package in module.members:
            rows += 1
            return module._replace(members={**module.members, package: [*module.members[package], "new"]})
        return module

    monkeypatch.setattr(digest, "_module", with_new)
    assert digests(jobs) == before
    assert rows > 0
