"""The DAG is known from the config alone; no two of its jobs share a key."""

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.study.config.configs import merged
from tests.workflow.checkout import Checkout
from tests.workflow.dag import ROOT, commands
from tests.workflow.planner import Planner
from workflow_scripts.core.digest import code_digest
from workflow_scripts.core.files.jsonio import canonical
from workflow_scripts.core.key import artifact_key
from workflow_scripts.core.runtime.command_line import arguments
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.estimates.cost import costs
from workflow_scripts.study.units import Units

CONFIGS = (  # those that no other test plans
    ("profiles/lgssl/study.yaml", "--config", "shards={shards: 2, rows_per_shard: 50}"),  # of 540 shards
    ("profiles/demo/study.yaml", "profiles/demo/resnet18.yaml"),
    *((f"tests/config/{name}.yaml",) for name in ("methods", "photos", "redcaps_mini", "yardsticks")),
)


@pytest.fixture(scope="module")
def full() -> list[list[str]]:
    """Commands of the full study."""
    return commands()


def test_the_full_study_can_be_planned_without_data(full: list[list[str]]) -> None:
    counts = Counter(stage for stage, *_ in full)
    assert counts["download"] == counts["recaption"] == 540
    assert counts["pretrain"] == 36
    checkpoints = 33 * 2 + 3
    assert counts["features"] == counts["linear_probe"] == counts["few_shot"] == counts["knn"] == checkpoints * 11
    assert counts["eval_images"] == 11  # each set once for all checkpoints
    assert counts["saliency"] == checkpoints  # of the one dataset with masks
    stages = {path.stem for path in (ROOT / "workflow_scripts" / "stages").glob("[a-z]*.py")}
    unasked = {"common_images", "caption_labels", "saliency_checks", "embed_tests", "vector_matches"}
    unasked |= {"pack", "pack_index", "tokenizer", "tokens"}
    without = {"demo_world", *unasked}
    absent = {"crate", *without}  # the crate is a target of its own
    assert set(counts) == stages - absent
    shards = merged()["shards"]
    made = costs(Units(load_study(merged())), shards["shards"] * shards["rows_per_shard"], 40)
    assert {one.stage: one.jobs for one in made if one.jobs} == counts, "the estimate of costs counts other jobs"


def test_every_job_has_a_unique_key(full: list[list[str]]) -> None:
    keys: dict[str, list[str]] = {}
    for stage, *words in full:
        args = arguments(stage, words)
        settings, device = {"json": args.settings}, {"device": args.device}
        key = artifact_key(stage, args.unit, code_digest(stage), settings, args.input, device)
        keys.setdefault(key, []).append(args.artifact)
    assert [names for names in keys.values() if len(names) > 1] == []
    assert len({args[2] for args in full}) == len(full)


def test_demo_names_no_run_of_the_full_study(full: list[list[str]]) -> None:
    def runs(all_commands: list[list[str]]) -> set[str]:
        return {Path(words[2]).name.removesuffix(".manifest.json") for words in all_commands if words[0] == "pretrain"}

    demo = runs(commands("--profile", "profiles/demo"))
    assert len(demo) == 17
    assert not demo & runs(full)


@pytest.mark.slow
def test_every_config_can_be_planned(cold: Checkout) -> None:
    with closing(Planner(cold.folder)) as planner:
        for words in CONFIGS:
            planner.ask("--configfile", *words)
            status, jobs, _ = planner.answer()
            assert status == 0 and jobs, words


def test_settings_are_passed_as_a_single_canonical_json_string(full: list[list[str]]) -> None:
    """The params trigger compares sets of values: one canonical JSON text can't be mixed up with another."""
    import json

    for stage, *words in full:
        settings = arguments(stage, words).settings
        assert settings == canonical(json.loads(settings))
