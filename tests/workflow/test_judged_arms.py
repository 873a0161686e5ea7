"""What is scored with arms that a judge chooses, and the groups of cluster jobs that such arms leave valid."""

from pathlib import Path

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


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Arguments of Snakemake for the nano study with these arms and one judge."""
    judges = [{"name": "one", "kind": "blip2"}]
    study = {"arms": ARMS, "judges": judges, "caption_labels": {"source": "labels"}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    return [*NANO, str(tmp_path / "study.yaml")]


def test_no_job_scores_an_arm_that_waits_for_its_scores(words: list[str]) -> None:
    scoring = [arguments for stage, *arguments in commands(*words) if stage == "score_captions"]
    assert scoring
    for arguments in scoring:
        own = Path(arguments[arguments.index("--artifact") + 1]).name.partition(".")[0]
        also = {word.partition("=")[2] for word in arguments if word.startswith("arm=")}
        assert also - {own} <= {"original", "generated", "revised"}


def test_groups_of_cluster_jobs_do_not_depend_on_themselves(words: list[str]) -> None:
    slurm = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())
    grouped = ["--groups", *slurm["groups"], "--group-components", *slurm["group-components"]]
    done = snakemake("-n", "--quiet", "all", "--forceall", *words, *grouped)
    assert done.returncode == 0, done.stdout[-2000:]
