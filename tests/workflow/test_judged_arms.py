"""Which commands another judge or margin changes, and the groups of cluster jobs that such arms leave valid."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.checkout import NANO
from tests.workflow.dag import ROOT, commands, snakemake

PAIR = {"original": "original", "replacement": "generated"}
ARMS = [
    {"name": "original", "kind": "original"},
    {"name": "generated", "kind": "generated"},
    {"name": "revised", "kind": "revised"},
    {"name": "chosen", "kind": "revised", "judge": "one", "score": "itm", "margin": 0.5, **PAIR},
    {"name": "wrong", "kind": "shuffled", "base": "chosen"},
]
JUDGES = [{"name": "one", "kind": "blip2"}, {"name": "two", "kind": "blip2", "text_norm": "none"}]
REPORTING = {"report/index"}


def words(folder: Path, **change: Any) -> list[str]:
    """Arguments of Snakemake for the nano study with these arms and one judge."""
    study = {"arms": ARMS, "judges": JUDGES[:1], "caption_labels": {"source": "labels"}, **change}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return [*NANO, str(folder / "study.yaml")]


def jobs(folder: Path, **change: Any) -> dict[str, list[str]]:
    """``<stage>/<name>`` -> command."""
    found = {}
    for stage, *arguments in commands(*words(folder, **change)):
        path = Path(arguments[arguments.index("--artifact") + 1])
        found[f"{stage}/{path.name.removesuffix('.manifest.json')}"] = arguments
    return found


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return jobs(tmp_path_factory.mktemp("study"))


def test_another_judge_changes_only_its_jobs_and_the_comparison(before: dict[str, list[str]], tmp_path: Path) -> None:
    after = jobs(tmp_path, judges=JUDGES)
    new = after.keys() - before.keys()
    assert {name.split("/")[0] for name in new} == {"source", "score_captions", "judge_quality", "judge_calibration"}
    assert all("two" in name for name in new)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == REPORTING | {name for name in before if name.startswith("judge_comparison/")}


def test_no_job_scores_an_arm_that_waits_for_its_scores(before: dict[str, list[str]]) -> None:
    for name, arguments in before.items():
        if name.startswith("score_captions/"):
            also = {word.partition("=")[2] for word in arguments if word.startswith("arm=")}
            assert also - {name.split("/")[1].split(".")[0]} <= {"original", "generated", "revised"}


def test_groups_of_cluster_jobs_do_not_depend_on_themselves(tmp_path: Path) -> None:
    slurm = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())
    grouped = ["--groups", *slurm["groups"], "--group-components", *slurm["group-components"]]
    done = snakemake("-n", "--quiet", "all", "--forceall", *words(tmp_path), *grouped)
    assert done.returncode == 0, done.stdout[-2000:]
