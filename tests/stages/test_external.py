"""Networks from elsewhere through the stages of a run: weights, features, linear probe."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import timm
import torch

from tests.helpers import run
from tests.stages.evaluation_chain import Chain
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.models.networks.view import view_of
from workflow_scripts.stages import eval_images, features, linear_probe, pretrain

SIDE = 32
VIEW = view_of(SIDE, "bilinear", 1.0)
STILL = {"method": "external", "pairs": "none", "augmentation": "none", "steps": 0, "warmup_steps": 0}
NETWORK = {"layout": "timm", "architecture": "test_vit", "image_size": SIDE, "crop": 1.0, "resize": "bilinear"}


def external(chain: Chain, name: str, source: Path | None, **network: object) -> Artifact:
    settings = {**STILL, "image_size": SIDE, "network": {"name": name, **NETWORK, **network}}
    sources = {} if source is None else {"network": source}
    return run(pretrain.STAGE, chain.results, f"pretrain/external-{name}", settings, {}, {"run": name}, sources)


def test_a_network_from_a_folder_and_its_twin_are_evaluated_like_runs(chain: Chain, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = timm.create_model("test_vit", num_classes=3, img_size=SIDE)
    timm.models.save_for_hf(network, tmp_path / "vit", safe_serialization=True)
    made = external(chain, "vit", tmp_path / "vit")
    twin = external(chain, "twin", None, weights="random")
    facts, other = (json.loads(one.path("/run.json").read_bytes()) for one in (made, twin))
    assert facts == other | {"options": {"global_pool": "token"}} and facts["backbone"] == "timm:test_vit"
    assert (facts["checkpoints"], facts["steps_done"], facts["feature_dim"]) == ({"last": 0}, 0, 64)
    assert facts["preprocessing"]["size"] == VIEW.size and facts["layer"].endswith("norm1")
    assert made.suffixes == ["/curve.parquet", "/last.safetensors", "/run.json"]
    assert pq.read_table(made.path("/curve.parquet")).num_rows == 0
    unit = {"dataset": "concept", "view": VIEW.name}
    given = {"dataset": chain.datasets["concept"]}
    images = run(
        eval_images.STAGE, chain.results, f"eval_images/{'.'.join(unit.values())}", VIEW.model_dump(), given, unit
    )
    for one in (made, twin):
        unit = {"run": one.name, "step": "last", "dataset": "concept"}
        given = {"run": one.manifest_path, "images": images.manifest_path}
        name = ".".join(unit.values())
        vectors = run(features.STAGE, chain.results, f"features/{name}", {}, given, unit)
        given = {"features": vectors.manifest_path, "dataset": chain.datasets["concept"]}
        probe = run(linear_probe.STAGE, chain.results, f"linear_probe/{name}", {"fine_points": 1}, given, unit)
        assert 0 <= pq.read_table(probe.path(".parquet"))["value"][0].as_py() <= 1


def test_other_weights_are_another_artifact(chain: Chain, tmp_path: Path) -> None:
    keys = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        torch.save(timm.create_model("test_vit", num_classes=0, img_size=SIDE).state_dict(), tmp_path / "w.pth")
        made = external(chain, "file", tmp_path / "w.pth")
        keys.append(json.loads(made.manifest_path.with_name(f"{made.name}.run.json").read_bytes())["key"])
    assert keys[0] != keys[1]
