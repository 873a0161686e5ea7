import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.file_bytes import parquet
from tests.helpers import Fails, hex_hashes, make_artifact, run
from tests.pretraining.shapes import SMALL, encoded
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.models.backbones import load_backbone
from workflow_scripts.models.preprocessing import normalise, prepare
from workflow_scripts.pretraining.monitor.collapse import STATISTICS
from workflow_scripts.pretraining.training import launch
from workflow_scripts.pretraining.training.plan import Plan
from workflow_scripts.stages.pretrain import STAGE

KEYS = [f"im{i:02d}" for i in range(20)]
LANGUAGE = {**SMALL, "pairs": "language", "augmentation": "crop", "steps": 3, "warmup_steps": 1}


@pytest.fixture
def index(results: Path) -> Path:
    return make_index(results)


def make_index(results: Path) -> Path:
    """20 images in one shard, two subreddits."""
    files = encoded(20)
    size = np.array([len(file) for file in files])
    tar = b"".join(files)
    shard = Artifact(make_artifact(results, "download", "00000", {".tar": tar}))
    table = {
        "key": KEYS,
        "shard": np.zeros(20, np.int32),
        "offset": np.cumsum(size) - size,
        "size": size,
        "width": np.array([28 + i % 3 for i in range(20)], np.int32),
        "height": np.full(20, 28, np.int32),
        "sha256": hex_hashes(files),
        "subreddit": [("red", "blue")[i % 2] for i in range(20)],
    }
    tars = json.dumps({"tars": {"00000": shard.manifest["files"][".tar"]}}).encode()
    return make_artifact(results, "image_index", "images", {".parquet": parquet(table), ".json": tars})


def pairs_of(results: Path, sources: list[str], targets: list[str]) -> Path:
    table = {"source": sources, "target": targets, "rank": np.ones(len(sources), np.int16)}
    return make_artifact(results, "pair_table", "original", {".parquet": parquet(table)})


def test_a_language_guided_run_writes_its_checkpoints_and_facts(results: Path, index: Path) -> None:
    pairs = pairs_of(results, KEYS[:17], KEYS[1:18])
    settings = {**LANGUAGE, "checkpoints": [2], "probe": {"every": 1, "images": 20, "neighbours": 3}}
    made = run(STAGE, results, "pretrain/run", settings, {"images": index, "pairs": pairs})
    assert made.rows == {"in": 20, "out": 17, "dropped": {"no_pair": 3}}
    steps = ["best", "last", "step-000002"]
    assert made.suffixes == sorted(["/curve.parquet", "/run.json", *(f"/{step}.safetensors" for step in steps)])
    facts = json.loads(made.path("/run.json").read_bytes())
    assert facts["checkpoints"].keys() == set(steps)
    assert (facts["checkpoints"]["last"], facts["checkpoints"]["step-000002"], facts["steps_done"]) == (3, 2, 3)
    curve = pq.read_table(made.path("/curve.parquet"))
    assert curve.column_names == ["step", "loss", "lr", "images", "knn_accuracy", *STATISTICS]
    assert curve["step"].to_pylist() == [0, 1, 2, 3]
    assert facts["best_knn_accuracy"] == curve["knn_accuracy"].to_pylist()[facts["checkpoints"]["best"]]
    network, facts = load_backbone(made.path("/last.safetensors"), made.path("/run.json"))
    image = prepare(Image.new("RGB", (40, 30), (9, 200, 30)), facts["preprocessing"]["size"])
    assert network(normalise(image[None])).shape == (1, facts["feature_dim"])
    assert not network.training


def test_a_run_in_epochs_records_its_number_of_steps(results: Path, index: Path) -> None:
    settings = {**LANGUAGE, "pairs": "self", "steps": None, "epochs": 2, "checkpoints": [1]}
    made = run(STAGE, results, "pretrain/run", settings, {"images": index})
    facts = json.loads(made.path("/run.json").read_bytes())
    assert (facts["epochs"], facts["steps"], facts["steps_done"]) == (2, 4, 4)
    assert facts["checkpoints"] == {"epoch-0001": 2, "last": 4} and "/epoch-0001.safetensors" in made.suffixes
    assert pq.read_table(made.path("/curve.parquet"))["step"].to_pylist()[-1] == 4


def test_an_untrained_run_equals_the_initial_weights_of_trained_runs(results: Path, index: Path) -> None:
    settings = {"method": "untrained", "pairs": "none", "augmentation": "none", "backbone": "resnet_small", "steps": 0}
    made = run(STAGE, results, "pretrain/untrained", settings | {"seed": 3, "image_size": 24})
    start = load_file(made.path("/last.safetensors"))
    assert pq.read_table(made.path("/curve.parquet")).num_rows == 0
    still = {**LANGUAGE, "pairs": "self", "seed": 3, "steps": 2, "lr": 1e-12, "final_lr": 0, "weight_decay": 0}
    trained = run(STAGE, results, "pretrain/still", still, {"images": index})
    end = load_file(trained.path("/last.safetensors"))
    assert end.keys() == start.keys()
    for name in ("conv1.weight", "layer3.0.conv2.weight"):
        torch.testing.assert_close(end[name], start[name], rtol=0, atol=1e-7)
    assert trained.rows == {"in": 20, "out": 20, "dropped": {}}


SUPERVISED = {**LANGUAGE, "method": "supervised", "pairs": "labels", "simclr": None}


def truth_of(results: Path, labels: list[str | None]) -> Path:
    """Labels of the first images, and of one that is not in the index."""
    truth = parquet({"image_id": ["gone", *KEYS[: len(labels)]], "concept": ["kite", *labels]})
    return make_artifact(results, "demo_world", "world", {".truth.parquet": truth})


def test_a_supervised_run_learns_the_labels(results: Path, index: Path) -> None:
    truth = truth_of(results, [None, *(("red", "green", "blue", "yellow")[i % 4] for i in range(1, 16))])
    settings = {**SUPERVISED, "steps": 60, "warmup_steps": 5, "lr": 0.3, "log_every": 20}
    made = run(STAGE, results, "pretrain/supervised", settings, {"images": index, "truth": truth})
    assert made.rows == {"in": 20, "out": 15, "dropped": {"no_label": 5}}
    losses = pq.read_table(made.path("/curve.parquet"))["loss"].to_pylist()
    assert losses[-1] < 0.5 * losses[1]
    facts = json.loads(made.path("/run.json").read_bytes())
    assert (facts["method"], facts["pairs"], facts["checkpoints"]) == ("supervised", "labels", {"last": 60})


def test_training_on_a_single_label_is_refused(results: Path, index: Path, fails: Fails) -> None:
    with fails("error: too few labels in", "concept has 1 different values"):
        run(STAGE, results, "pretrain/run", SUPERVISED, {"images": index, "truth": truth_of(results, ["red"] * 9)})


def common_of(results: Path, keys: list[str]) -> Path:
    return make_artifact(results, "common_images", "images", {".parquet": parquet({"key": keys})})


def planned(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans that trainings get from now on."""
    plans: list[Plan] = []
    original = launch.launch

    def noted(plan: Plan, interrupt: Any) -> Any:
        plans.append(plan)
        return original(plan, interrupt)

    monkeypatch.setattr(launch, "launch", noted)
    return plans


def test_unpaired_images_are_dropped_or_paired_with_themselves(
    results: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = planned(monkeypatch)
    inputs = {"images": index, "pairs": pairs_of(results, [*KEYS[:17], KEYS[0]], [*KEYS[1:18], KEYS[5]])}
    dropped = run(STAGE, results, "pretrain/dropped", LANGUAGE, inputs)
    own = run(STAGE, results, "pretrain/own", {**LANGUAGE, "unpaired": "self"}, inputs)
    assert dropped.rows == {"in": 20, "out": 17, "dropped": {"no_pair": 3}}
    assert own.rows == {"in": 20, "out": 20, "dropped": {}}
    first, second = (plan.pairing for plan in plans)
    assert first.sources.tolist() == list(range(17)) and first.targets.tolist() == [1, 5, *range(2, 18)]
    assert second.sources.tolist() == list(range(20)) and second.targets.tolist() == [1, 5, *range(2, 18), 17, 18, 19]
    assert second.starts.tolist() == [0, *range(2, 22)]
    about = [json.loads(one.path("/run.json").read_bytes()) for one in (dropped, own)]
    assert "self_pairs" not in about[0] and about[1]["self_pairs"] == 3
    assert (about[0]["steps"], about[1]["steps"]) == (3, 3)
    record = json.loads(dropped.manifest_path.with_name("dropped.run.json").read_bytes())
    assert "unpaired" not in record["settings"], "the key of a run is the one from before there was a choice"


def test_a_run_trains_only_on_common_images(results: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = planned(monkeypatch)
    common = common_of(results, KEYS[4:13])
    pairs = pairs_of(results, KEYS[:17], KEYS[1:18])
    for name, settings, inputs in (
        ("language", LANGUAGE, {"pairs": pairs}),
        ("filled", {**LANGUAGE, "unpaired": "self"}, {"pairs": pairs}),
        ("self", {**LANGUAGE, "pairs": "self"}, {}),
    ):
        made = run(STAGE, results, f"pretrain/{name}", settings, {"images": index, "common": common, **inputs})
        missing = {"no_pair": 3, "not_common": 8} if name == "language" else {"not_common": 11}
        assert made.rows == {"in": 20, "out": 9, "dropped": missing}
        about = json.loads(made.path("/run.json").read_bytes())
        assert about["partners_elsewhere"] == (0 if name == "self" else 1), "im12's partner is im13"
        assert about.get("self_pairs") == (0 if name == "filled" else None)
    assert [plan.pairing.sources.tolist() for plan in plans] == [list(range(4, 13))] * 3
    assert [plan.pairing.targets.tolist() for plan in plans] == [list(range(5, 14))] * 2 + [list(range(4, 13))]


def test_labels_are_those_of_common_images(results: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = planned(monkeypatch)
    truth = truth_of(results, [None, *(("blue", "red")[i % 3 == 0] for i in range(1, 16))])
    inputs = {"images": index, "truth": truth, "common": common_of(results, [KEYS[0], *KEYS[3:12]])}
    made = run(STAGE, results, "pretrain/supervised", SUPERVISED, inputs)
    assert made.rows == {"in": 20, "out": 9, "dropped": {"no_label": 5, "not_common": 6}}
    (plan,) = plans
    assert plan.labels is not None and plan.labels.tolist() == [1, 0, 0] * 3
    assert plan.pairing.sources.tolist() == list(range(3, 12))


def test_a_labelled_probe_never_sees_its_test_split(results: Path, index: Path) -> None:
    files = encoded(15, seed=9)
    # The test split's bytes are no images: reading one would fail.
    files[10:] = [b"not an image"] * 5
    size = np.array([len(file) for file in files])
    split = ["train"] * 6 + ["val"] * 4 + ["test"] * 5
    rows = {"label": np.arange(15, dtype=np.int32) % 4, "split": split, "offset": np.cumsum(size) - size, "size": size}
    rows["sha256"] = hex_hashes(files)
    probe = make_artifact(results, "eval_dataset", "shapes", {".parquet": parquet(rows), ".tar": b"".join(files)})
    settings = {**LANGUAGE, "pairs": "self", "probe": {"every": 3, "images": 3, "neighbours": 2}}
    made = run(STAGE, results, "pretrain/run", settings, {"images": index, "probe": probe})
    accuracies = pq.read_table(made.path("/curve.parquet"))["knn_accuracy"].to_pylist()
    assert all((accuracy * 4).is_integer() for accuracy in accuracies if accuracy is not None)  # four val images


def test_the_checkpoint_interval_is_not_in_the_key(results: Path, index: Path) -> None:
    inputs = {"images": index}
    first = run(STAGE, results, "pretrain/run", LANGUAGE | {"pairs": "self"}, inputs)
    run(STAGE, results, "pretrain/run", LANGUAGE | {"pairs": "self", "checkpoint_every": 1, "cache_mb": 0}, inputs)
    assert json.loads(first.manifest_path.with_name("run.run.json").read_bytes())["cached"] is True
    run(STAGE, results, "pretrain/run", LANGUAGE | {"pairs": "self", "seed": 1}, inputs)
    assert json.loads(first.manifest_path.with_name("run.run.json").read_bytes())["cached"] is False


def test_an_unknown_image_key_is_a_single_line_error(results: Path, index: Path, fails: Fails) -> None:
    with fails("error: unknown image key"):
        run(STAGE, results, "pretrain/run", LANGUAGE, {"images": index, "pairs": pairs_of(results, ["im00"], ["gone"])})


def test_a_damaged_checkpoint_is_a_single_line_error(
    results: Path, index: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workflow_scripts.pretraining.training import checkpoint, trainer

    def broken(self: trainer.Trainer) -> None:
        (self.plan.work / checkpoint.NAME).write_bytes(b"\0" * 100)
        raise KeyError("killed")

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(trainer.Trainer, "_finish", broken)
        run(STAGE, results, "pretrain/run", LANGUAGE | {"pairs": "self"}, {"images": index})
    with fails("error: damaged checkpoint"):
        run(STAGE, results, "pretrain/run", LANGUAGE | {"pairs": "self"}, {"images": index})


def test_the_stage_file_imports_nothing_heavy() -> None:
    code = "import sys, workflow_scripts.stages.pretrain; print('torch' in sys.modules, 'numpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split()[0] == "False"
