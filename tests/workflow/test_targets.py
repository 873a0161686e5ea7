"""What a command plans after an edit, for targets and edits, with and without `.snakemake`.

All plans are dry runs on the finished small study. The resulting tables are in docs/reruns.md.
"""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.workflow.checkout import ROOT, Checkout
from tests.workflow.dag import snakemake
from tests.workflow.edits import EDITS, Edit, code_of
from tests.workflow.planner import Plan, Planner
from tests.workflow.test_matrix import EDITS as SETTINGS
from tests.workflow.test_matrix import edited, families, table

pytestmark = pytest.mark.slow

CONFIG = "tests/config/tiny.yaml"
ON_TINY = {"arms.0.margin": "arms.1.margin"}  # where the small study has another setting than the smallest
RUN = "simclr-revised-crop-resnet_small-s0"


DATA_CARD = "results/tiny/data_card/data_card.manifest.json"
PRETRAIN = f"results/tiny/pretrain/{RUN}.manifest.json"
TARGETS = {"the whole study": (), "`data_card`": (DATA_CARD,), "one `pretrain`": (PRETRAIN,)}
# After the edit of lr: words of a command, and what it may run of the study.
COMMANDS = (
    "",
    "report",
    "summary",
    "data_card",
    DATA_CARD,
    PRETRAIN,
    f"{DATA_CARD} {PRETRAIN}",
    "--until data_card",
    "--until pair_table",
    "--until pretrain",
    f"--until {PRETRAIN}",
    "--omit-from pretrain",
    "--omit-from linear_probe",
    f"{DATA_CARD} --forcerun data_card",
    f"{PRETRAIN} --forcerun image_index",
    "--forcerun data_card",
    "--rerun-triggers mtime",
)


class Studies:
    """Two copies of the finished study: one as it is; one without Snakemake's memory, all times in disorder."""

    def __init__(self, finished: Checkout, folder: Path) -> None:
        self.folders = [folder / "remembered", folder / "forgotten"]
        for copy in self.folders:
            subprocess.run(["cp", "-a", str(finished.folder), str(copy)], check=True)
        shutil.rmtree(self.folders[1] / ".snakemake")
        Checkout.at(self.folders[1], finished.study).touch_all(seed=5)
        self.planners = [Planner(copy) for copy in self.folders]

    def plans(self, edit: Edit, commands: list[tuple[str, ...]]) -> list[tuple[Plan, Plan]]:
        """Plans of the commands after the edit, with and without memory."""
        config = yaml.safe_load((ROOT / CONFIG).read_text())
        edit.config(config)
        paths = [copy / file for copy in self.folders for file in edit.files]
        before = {path: path.read_text() if path.exists() else None for path in paths}
        for copy in self.folders:
            (copy / "edited.yaml").write_text(yaml.safe_dump(config))
            for file, (pattern, new) in edit.files.items():
                text = before[copy / file] or ""
                changed = re.sub(pattern, new, text, count=1, flags=re.MULTILINE)
                assert changed != text, file
                (copy / file).write_text(changed)
        hidden = [path for copy in self.folders for part in edit.gone for path in (copy / "results").glob(part)]
        for path in hidden:
            path.rename(path.with_name(f".hidden-{path.name}"))
        try:
            for words in commands:
                for planner in self.planners:
                    planner.ask(*words, "--configfile", "edited.yaml")
            with_memory, without_memory = ([one.answer() for _ in commands] for one in self.planners)
        finally:
            for path, old in before.items():
                path.unlink() if old is None else path.write_text(old)
            for path in hidden:
                path.with_name(f".hidden-{path.name}").rename(path)
        return list(zip(with_memory, without_memory, strict=True))


@pytest.fixture(scope="module")
def studies(finished: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studies]:
    """The two copies."""
    made = Studies(finished, tmp_path_factory.mktemp("targets"))
    yield made
    for planner in made.planners:
        planner.close()


@pytest.fixture(scope="module")
def plans(studies: Studies) -> dict[str, list[tuple[Plan, Plan]]]:
    """Edit -> plans of all targets, with and without memory."""
    return {edit.name: studies.plans(edit, list(TARGETS.values())) for edit in EDITS}


def of_stage(plan: Plan, stage: str) -> int:
    """How many jobs of a stage a plan has."""
    return sum(job.startswith(f"{stage}/") for job in plan[1])


def cell(plan: Plan) -> str:
    """Jobs of a plan, and trainings among them."""
    if plan[0]:
        return "unknown"
    jobs = [job for job in plan[1] if not job.startswith("all/")]
    trainings = of_stage(plan, "pretrain")
    return f"{len(jobs)} ({trainings})" if trainings else str(len(jobs))


def stages(plan: Plan) -> str:
    """Jobs of a plan by stage, in the order of the alphabet."""
    counts = Counter(job.split("/")[0] for job in plan[1] if not job.startswith("all/"))
    return ", ".join(stage if count == 1 else f"{count} {stage}" for stage, count in sorted(counts.items()))


def test_the_plans_are_those_in_the_documentation(plans: dict[str, list[tuple[Plan, Plan]]]) -> None:
    rows = [["edit", *TARGETS, "jobs of the whole study"]]
    for name, found in plans.items():
        rows.append([name, *(cell(plan) for plan, _ in found), stages(found[0][0])])
    text = table(rows)
    print(text)
    assert text in (ROOT / "docs/reruns.md").read_text()


def test_run_records_without_snakemake_metadata_give_the_same_plans(plans: dict[str, list[tuple[Plan, Plan]]]) -> None:
    differ = {name: found for name, found in plans.items() if any(one != other for one, other in found)}
    assert differ == {}


def test_trainings_rerun_only_for_edits_that_affect_them(plans: dict[str, list[tuple[Plan, Plan]]]) -> None:
    def trainings(edit: str) -> list[int]:
        return [of_stage(plan, "pretrain") for plan, _ in plans[edit]]

    assert trainings("`pretraining.lr`") == [3, 0, 1], "all that train; the fourth is untrained"
    assert trainings("`pretraining.unpaired`") == [2, 0, 1], "those with a pair table"
    assert trainings("`common_images`") == [3, 0, 1]
    for more in ("kept step evaluated", "dataset", "arm", "pair table"):
        assert trainings(f"one more {more}") == [0, 0, 0]
    for edit in ("one more run", "one more seed"):
        assert trainings(edit) == [1, 0, 0]
    for edit in ("dataset fewer", "arm fewer", "run fewer", "pair table fewer, with its run"):
        collected = {"caption_comparison", "summary", "discrimination", "report", "all"}
        if edit == "arm fewer":  # the original captions, with which pairs by images are compared
            collected.add("pair_quality")
        assert {job.split("/")[0] for job in plans[f"one {edit}"][0][0][1]} <= collected
    added = {"one more dataset": "colour", "one more kept step evaluated": "step-000002", "one more seed": "-s1"}
    for edit, name in added.items():
        jobs = plans[edit][0][0][1]
        assert [job for job in jobs if name not in job] == ["all/", "discrimination/", "report/", "summary/"], edit
    one, two = (set(plans[edit][0][0][1]) for edit in ("a sweep of one point added", "the same with a second point"))
    assert one < two and len(two - one) == 10 and all("-lr-2e-3-s0" in job for job in two - one)
    for edit in ("nothing", "`download.attempts`", "`pretraining.checkpoint_every`", "comments", "`compute.workers`"):
        assert [plan[1] for plan, _ in plans[edit]] == [[], [], []]


def test_a_command_runs_what_its_targets_need(studies: Studies) -> None:
    edit = next(one for one in EDITS if one.name == "`pretraining.lr`")
    found = studies.plans(edit, [tuple(words.split()) for words in COMMANDS])
    assert [one for one, other in found if one != other or one[0]] == []
    rows = [["after an edit of `pretraining.lr`", "jobs (trainings)", "which"]]
    for words, (plan, _) in zip(COMMANDS, found, strict=True):
        rows.append([f"`{' '.join(f'snakemake {words}'.split())}`", cell(plan), stages(plan)])
        stale = {job for job in plan[2] if not job.startswith("pretrain/")}
        assert stale <= {"report/"}, "what is said to be stale is the trainings that run, and the page that names lr"
        assert sum(job.startswith("pretrain/") for job in plan[2]) == of_stage(plan, "pretrain")
    text = table(rows)
    print(text)
    assert text in (ROOT / "docs/reruns.md").read_text()


def test_every_edit_of_the_matrix_gives_the_same_plan_with_and_without_memory(
    studies: Studies, finished: Checkout
) -> None:
    below = families(finished)
    below["embed_images"] |= below["embed_tests"]  # which has its code and settings
    wrong = []
    for stage, edit in SETTINGS.items():
        changes = [Edit(f"code of {stage}", files=code_of(stage))]
        if edit is not None:
            name, value = ON_TINY.get(edit[0], edit[0]), edit[1]
            changes.append(Edit(name, lambda config, name=name, value=value: edited(config, {name: value})))
        for change in changes:
            [(one, other)] = studies.plans(change, [()])
            planned = {job.split("/")[0] for job in one[1]} - {"all"}
            if one != other or one[0] or stage not in planned or not planned <= below[stage]:
                wrong.append((change.name, one, other))
    assert wrong == []


def test_stale_artifacts_are_logged_only_if_they_rerun(studies: Studies) -> None:
    """By the command itself, as people see it."""
    folder = studies.folders[1]
    config = yaml.safe_load((ROOT / CONFIG).read_text())
    config["pretraining"]["lr"] = 9.0e-3
    (folder / "edited.yaml").write_text(yaml.safe_dump(config))
    words = ("-n", "--quiet", "rules", "--profile", "profiles/demo", "--configfile", "edited.yaml")
    done = snakemake(*words, cwd=folder)
    assert done.returncode == 0
    said = re.escape("made with other settings (lr 0.008 then, 0.009 today)")
    names = r"\(results/tiny/pretrain/\S+, \.\.\.\)"
    assert re.search(rf"^3 artifacts of pretrain {names}: {said}; took .+ to compute; recomputed$", done.stdout, re.M)
    assert snakemake(*words, "--until", "data_card", cwd=folder).stdout.count("recomputed") == 0
