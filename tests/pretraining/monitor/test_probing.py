from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from tests.pretraining.shapes import images
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.models.nearest import nearest_classes
from workflow_scripts.models.preprocessing import channels_first, fit
from workflow_scripts.pretraining.monitor import probing
from workflow_scripts.pretraining.monitor.collapse import feature_statistics
from workflow_scripts.pretraining.monitor.probing import (
    IMAGES,
    FirstBatch,
    OnlineProbe,
    dataset_rows,
    is_gain,
    split_rows,
)
from workflow_scripts.pretraining.settings import Probe
from workflow_scripts.stats.feature_statistics import rankme

PROBE = Probe(neighbours=3)
PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=200)


def test_splits_are_disjoint_bounded_and_always_the_same(tmp_path: Path) -> None:
    shown = images(tmp_path, 30)
    rows = split_rows(shown, np.zeros(30, int), 20)
    assert len(rows.bank) == 16 and len(rows.queries) == 4
    assert not set(rows.bank) & set(rows.queries)
    assert rows.bank.tolist() == split_rows(shown, np.zeros(30, int), 20).bank.tolist()
    with pytest.raises(PipelineError, match="too few images to probe"):
        split_rows(shown, np.zeros(1, int), 20)


def test_a_labelled_dataset_keeps_its_splits_and_classifies_val_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, path = images(tmp_path, 30), tmp_path / "dataset.parquet"
    pq.write_table(pa.table({"label": range(30), "split": ["train"] * 12 + ["val"] * 8 + ["test"] * 10}), path)
    rows = dataset_rows(shown, path, 5)
    assert rows.labels.tolist() == list(range(30))
    assert set(rows.bank) <= set(range(12)) and len(rows.bank) == 5
    assert rows.queries.tolist() == list(range(12, 20))
    monkeypatch.setattr(probing, "QUERIES", 3)
    few = dataset_rows(shown, path, 5)
    assert set(few.queries) < set(rows.queries) and len(few.queries) == 3 and few.bank.tolist() == rows.bank.tolist()
    with pytest.raises(PipelineError, match="12 train and 0 val rows"):
        pq.write_table(pa.table({"label": range(30), "split": ["train"] * 12 + ["test"] * 18}), path)
        dataset_rows(shown, path, 15)


def test_the_online_probe_does_not_change_the_network(tmp_path: Path) -> None:
    rows = split_rows(images(tmp_path, 24), np.arange(24) % 4, 24)
    network = build_backbone("resnet_small")[0].train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    hits = OnlineProbe(rows, 24, PROBE)(network, torch.device("cpu"))
    assert hits.shape == (4,) and hits.dtype == torch.bool
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_ranks_are_those_of_the_bank_and_other_statistics_of_the_queries(tmp_path: Path) -> None:
    rows = split_rows(images(tmp_path, 24), np.arange(24) % 4, 24)
    network, cpu = build_backbone("resnet_small")[0].eval(), torch.device("cpu")
    probe = OnlineProbe(rows, 24, PROBE)
    probe(network, cpu)
    bank, queries = (probe._features(network, side, cpu) for side in probe._sides)
    assert probe.statistics == feature_statistics(queries, rows.labels[rows.queries], bank)
    assert probe.statistics["rankme"] == pytest.approx(rankme(bank.astype(float)))


def test_threads_prepare_the_same_images_and_a_gpu_finds_their_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = split_rows(images(tmp_path, 24), np.arange(24) % 4, 24)
    alone, threads = (OnlineProbe(rows, 16, PROBE, workers) for workers in (1, 4))
    assert all(torch.equal(one, two) for one, two in zip(alone._sides, threads._sides, strict=True))
    for side, places in zip(alone._sides, (rows.bank, rows.queries), strict=True):
        expected = [fit(channels_first(rows.images.pixels(row)), 16) for row in places]
        assert torch.equal(side, torch.stack(expected))
    asked: list[str] = []
    pixels = staticmethod(lambda network, side, device: side.flatten(1).float().numpy())
    monkeypatch.setattr(OnlineProbe, "_features", pixels)
    monkeypatch.setattr(
        probing, "nearest_classes_on", lambda device, *votes: asked.append(device) or nearest_classes(*votes)
    )
    found = [alone(nn.Identity(), torch.device(device)) for device in ("cpu", "cuda:1")]
    assert torch.equal(*found) and asked == ["cuda:1"]


def hits(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.bool)


@pytest.mark.filterwarnings("ignore:Precision loss")
@given(PAIRS)
def test_a_gain_is_decided_by_the_paired_t_statistic(pairs: list[tuple[bool, bool]]) -> None:
    new, best = np.array(pairs).T
    n = len(pairs)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = stats.ttest_rel(new.astype(float), best.astype(float)).statistic
    # The standard error of a share divides by n, that of scipy by n - 1.
    expected = new.mean() > best.mean() if not np.isfinite(t) else t * np.sqrt(n / (n - 1)) >= 2
    if not np.isfinite(t) or abs(t * np.sqrt(n / (n - 1)) - 2) > 1e-9:
        assert is_gain(torch.from_numpy(new.copy()), torch.from_numpy(best.copy())) == expected


def test_two_standard_errors_exactly_are_a_gain() -> None:
    assert is_gain(hits(1, 1, 0, 0), hits(0, 0, 0, 0))  # d = 1/2, standard error sqrt((2 - 4/4) / 16) = 1/4
    assert not is_gain(hits(1, 0), hits(0, 0))  # 1.41 standard errors
    assert not is_gain(hits(*[1] * 3, *[0] * 97), hits(*[0] * 100))  # 1.76
    assert is_gain(hits(*[1] * 4, *[0] * 96), hits(*[0] * 100))  # 2.04


@given(PAIRS)
def test_gains_ignore_image_order_and_are_never_mutual(pairs: list[tuple[bool, bool]]) -> None:
    new, best = (torch.tensor(one) for one in zip(*pairs, strict=True))
    assert is_gain(new, best) == is_gain(new.flip(0), best.flip(0))
    assert not (is_gain(new, best) and is_gain(best, new)) and not is_gain(new, new)


def test_checkpoints_of_equal_accuracy_rarely_replace_each_other() -> None:
    rng, seeds, n = np.random.default_rng(0), 2000, 500
    new, best = (torch.from_numpy(rng.random((seeds, n)) < 0.6) for _ in range(2))
    share = np.mean([is_gain(one, two) for one, two in zip(new, best, strict=True)])
    assert share == pytest.approx(stats.norm.sf(2), abs=4 * np.sqrt(0.0228 / seeds))


def test_only_the_watched_images_of_a_large_batch_stay_in_memory() -> None:
    views = [torch.randn(IMAGES + 50, 3, 2, 2, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    watched = FirstBatch(views)
    assert sum(view.untyped_storage().nbytes() for view in watched._views) == 2 * IMAGES * 3 * 2 * 2 * 4
    found = watched(nn.Flatten(), torch.device("cpu"))
    assert found == FirstBatch([view[:IMAGES] for view in views])(nn.Flatten(), torch.device("cpu"))
