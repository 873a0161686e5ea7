"""Edits of the small study, of its config, code and results, after which plans are compared."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.workflow.test_matrix import EDITS as SETTINGS
from tests.workflow.test_matrix import FORMAT, FORMATTED

Config = dict[str, Any]


@dataclass(frozen=True)
class Edit:
    """An edit of the config, of files (path -> pattern and its replacement; new files), or files that go (patterns)."""

    name: str
    config: Callable[[Config], object] = lambda config: None
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    gone: tuple[str, ...] = ()


def without(items: list[Config], **named: str) -> None:
    """Take out the entries that have one of these values."""
    items[:] = [one for one in items if not any(one.get(key) == value for key, value in named.items())]


def one_more_encoder(config: Config) -> None:
    config["text_encoders"].append({"name": "again", "source": config["text_encoders"][0]["source"]})
    config["pairs"].append({"name": "again", "arm": "revised", "encoder": "again"})


def one_encoder_fewer(config: Config) -> None:
    config["text_encoders"].clear()
    without(config["pairs"], encoder="minilm")
    without(config["runs"], pairs="revised")


def one_pair_table_fewer(config: Config) -> None:
    without(config["pairs"], name="visual")
    without(config["runs"], pairs="visual")


def written_otherwise(config: Config) -> None:
    config["pretraining"] |= {"lr": 0.008, "checkpoints": [4, 2, 2], "patience": None}
    config["recaption"]["captioner"] = {"at": "./workflow_scripts/demo/captioner/caption"}


def code_of(stage: str) -> dict[str, tuple[str, str]]:
    """An edit of the stage's meaning that leaves its output as it is; for a stage with a format, another one."""
    if stage in FORMATTED:
        return {f"workflow_scripts/stages/{stage}.py": FORMAT}
    return {f"workflow_scripts/stages/{stage}.py": (rf"^def {stage}\(", f"EQUAL = 1\n\n\ndef {stage}(")}


COMMENTS = {f"workflow_scripts/stages/{stage}.py": (r'^"""', '# A comment.\n"""Another text. ') for stage in SETTINGS}
METHODS, ARMS = "workflow_scripts/pretraining/methods", "workflow_scripts/captions/arms"
NEW = {  # two files that are not there, and a row
    f"{METHODS}/new.py": ("", "METHOD = None\n"),
    f"{ARMS}/new.py": ("", "ARM_KIND = None\n"),
    "workflow_scripts/evaluation/datasets/registry.py": ('name="pets"', 'name="new"), DownstreamSet(name="pets"'),
}
CARD = {"workflow_scripts/demo/captioner/caption/generation_config.json": (r"\A\{", "{ ")}
WORLD = {"kind": "world", "task": "colour"}
TABLE = "tiny/pair_table/revised.*"
SIMCLR = {"method": "simclr", "pairs": "visual", "augmentation": "crop", "seeds": [0]}
EDITS = (
    Edit("nothing"),
    Edit("`pretraining.lr`", lambda c: c["pretraining"].update(lr=9.0e-3)),
    Edit("`pretraining.unpaired`", lambda c: c["pretraining"].update(unpaired="self")),
    Edit("`common_images`", lambda c: c.update(common_images=True)),
    Edit("one more kept step evaluated", lambda c: c["evaluation"].update(steps=["last", 2])),
    Edit("one more step kept", lambda c: c["pretraining"].update(checkpoints=[2, 4, 5])),
    Edit("one more dataset", lambda c: c["datasets"].append({"name": "colour", **WORLD})),
    Edit("one dataset fewer", lambda c: without(c["datasets"], name="masks")),
    Edit("one more arm", lambda c: c["arms"].append({"name": "generated", "kind": "generated"})),
    Edit("one arm fewer", lambda c: without(c["arms"], name="original")),
    Edit("one more pair table", lambda c: c["pairs"].append({"name": "plain", "arm": "original", "encoder": "minilm"})),
    Edit("one pair table fewer, with its run", one_pair_table_fewer),
    Edit("one more run", lambda c: c["runs"].append(SIMCLR)),
    Edit("one run fewer", lambda c: without(c["runs"], method="clip")),
    Edit("one more seed", lambda c: c["runs"][0].update(seeds=[0, 1])),
    Edit("a sweep of one point added", lambda c: c["runs"].append(SIMCLR | {"sweep": {"lr": [1.0e-3]}})),
    Edit("the same with a second point", lambda c: c["runs"].append(SIMCLR | {"sweep": {"lr": [1.0e-3, 2.0e-3]}})),
    Edit("one more encoder, with a pair table", one_more_encoder),
    Edit("one encoder fewer, with its pair table and run", one_encoder_fewer),
    Edit("order of arms", lambda c: c["arms"].reverse()),
    Edit("order of datasets", lambda c: c["datasets"].reverse()),
    Edit("`compute.device: auto`", lambda c: c["compute"].update(device="auto")),
    Edit("`compute.device: cuda`", lambda c: c["compute"].update(device="cuda")),
    Edit("`compute.math_threads`", lambda c: c["compute"].update(math_threads=2)),
    Edit("`compute.workers`", lambda c: c["compute"].update(workers=2)),
    Edit("`download.attempts`", lambda c: c["download"].update(attempts=7)),
    Edit("`pretraining.checkpoint_every`", lambda c: c["pretraining"].update(checkpoint_every=5)),
    Edit("values written differently, a new default", written_otherwise),
    Edit("comments", files=COMMENTS),
    Edit("code of `data_card`", files=code_of("data_card")),
    Edit("code of `pretrain`", files=code_of("pretrain")),
    Edit("code of the method SimSiam", files={f"{METHODS}/simsiam.py": (r"^METHOD = ", "EQUAL = 1\nMETHOD = ")}),
    Edit(
        "code of the mixed arm",
        files={f"{ARMS}/mixed.py": (r"^ARM_KIND", "EQUAL = 1\nARM_KIND")},
    ),
    Edit("a new method, arm and dataset", files=NEW),
    Edit("content of the captioner", files=CARD),
    Edit("a pair table deleted", gone=(TABLE,)),
    Edit("a pair table deleted, and its `k` edited", lambda c: c["pairs"][0].update(k=2), gone=(TABLE,)),
    Edit("a pair table deleted, also from the cache", gone=(TABLE, ".cache/pair_table")),
    Edit("a run record deleted", gone=("tiny/pretrain/clip-*.run.json",)),
    Edit("a run record deleted, also from the cache", gone=("tiny/pretrain/clip-*.run.json", ".cache/pretrain")),
)
