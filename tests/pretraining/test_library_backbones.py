import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.pretraining.shapes import plan
from workflow_scripts.pretraining.network import seeded_backbone
from workflow_scripts.pretraining.training import trainer
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.plan import OUTCOME
from workflow_scripts.pretraining.training.run_metadata import about_backbone


def test_a_vision_transformer_of_timm_learns_with_simclr(tmp_path: Path) -> None:
    run = plan(tmp_path, backbone="timm:test_vit", image_size=32, steps=24, lr=0.5, log_every=1)
    trainer.train(run, Interrupt())
    losses = [row["loss"] for row in json.loads((tmp_path / "work" / OUTCOME).read_text())["curve"] if row["loss"]]
    assert sum(losses[-8:]) < 0.8 * sum(losses[:8])  # batches differ; without learning, the ratio is above 0.9
    start = seeded_backbone("timm:test_vit", run.settings.seed, 32)[0].state_dict()
    end = load_file(tmp_path / "work" / "last.safetensors")
    assert {name: value.shape for name, value in end.items()} == {name: value.shape for name, value in start.items()}
    assert end["pos_embed"].shape[1] == 4 + 1, "patches of 16 pixels, and the class token"
    assert not torch.equal(end["blocks.0.attn.qkv.weight"], start["blocks.0.attn.qkv.weight"])
    about = about_backbone(run.settings)
    assert about["feature_dim"] == 64 and about["preprocessing"]["size"] == 32
    assert about["layer"] == f"blocks.{len([name for name in end if name.endswith('norm1.weight')]) - 1}.norm1"
