from pathlib import Path

import numpy as np
import pytest
import torch

from tests.pretraining.shapes import images
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.pretraining.probing import OnlineProbe, dataset_rows, split_rows


def test_splits_are_seeded_disjoint_and_bounded(tmp_path: Path) -> None:
    shown = images(tmp_path, 30)
    rows = split_rows(shown, np.zeros(30, int), 20, 1)
    assert len(rows.bank) == 16 and len(rows.queries) == 4
    assert not set(rows.bank) & set(rows.queries)
    assert rows.bank.tolist() == split_rows(shown, np.zeros(30, int), 20, 1).bank.tolist()
    assert rows.bank.tolist() != split_rows(shown, np.zeros(30, int), 20, 2).bank.tolist()
    with pytest.raises(PipelineError, match="too few images to probe"):
        split_rows(shown, np.zeros(1, int), 20, 1)


def test_a_labelled_dataset_keeps_its_splits(tmp_path: Path) -> None:
    split = np.array(["train"] * 12 + ["val"] * 8 + ["test"] * 10)
    rows = dataset_rows(images(tmp_path, 30), np.zeros(30, int), split, 15, 0, tmp_path)
    assert set(rows.bank) <= set(range(12)) and len(rows.bank) == 12
    assert set(rows.queries) <= set(range(12, 20)) and len(rows.queries) == 3
    with pytest.raises(PipelineError, match="12 train and 0 val rows"):
        dataset_rows(images(tmp_path, 30), np.zeros(30, int), np.where(split == "val", "test", split), 15, 0, tmp_path)


def test_the_probe_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    rows = split_rows(images(tmp_path, 24), np.arange(24) % 4, 24, 0)
    network = build_backbone("resnet_small")[0].train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    accuracy = OnlineProbe(rows, 24, 3, 0.07)(network, torch.device("cpu"))
    assert 0 <= accuracy <= 1
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
