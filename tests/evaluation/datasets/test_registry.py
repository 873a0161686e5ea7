"""Every row is complete and true, so that no missing fact ends somebody's run."""

import inspect
from typing import get_args

import pytest
import torchvision.datasets

from tests.study.config.configs import merged
from workflow_scripts.evaluation.datasets import registry
from workflow_scripts.evaluation.datasets.kinds import KINDS, DatasetKind
from workflow_scripts.evaluation.datasets.registry import DownstreamSet, Metric, Paths, known_set
from workflow_scripts.evaluation.datasets.splits import SPLITS
from workflow_scripts.stages.eval_dataset import EvalDataset

SETTINGS = EvalDataset.model_fields


@pytest.mark.parametrize("row", registry.SETS.values(), ids=lambda row: row.name)
def test_a_set_is_complete(row: DownstreamSet) -> None:
    assert row.name.isidentifier() and row.name == row.name.lower()
    assert row.metric in get_args(Metric)
    assert row.contents.images > row.contents.classes > 1
    assert row.summary.endswith(")")
    assert row.kind in KINDS
    assert (row.name in registry.TORCHVISION) == (row.kind == "torchvision")
    assert (row.contents.masks > 0) == KINDS[row.kind].has_masks


@pytest.mark.parametrize("name", sorted(registry.TORCHVISION))
def test_a_reader_of_torchvision_takes_its_arguments(name: str) -> None:
    row = registry.TORCHVISION[name]
    taken = inspect.signature(getattr(torchvision.datasets, row.reader)).parameters
    assert {"root", "download"} <= taken.keys()
    assert row.splits and row.splits.keys() <= set(SPLITS)
    assert all(arguments.keys() <= taken.keys() for arguments in row.splits.values())
    assert row.paths in get_args(Paths)
    assert ("loader" in taken) or row.paths != "loader"


@pytest.mark.parametrize("name", [name for name, row in registry.TORCHVISION.items() if row.counts])
def test_counted_images_are_those_of_the_splits(name: str) -> None:
    row, contents = registry.TORCHVISION[name], registry.SETS[name].contents
    assert row.splits == {"train": {}} and row.counts.keys() <= set(SPLITS)
    counted = sum(row.counts.values()) * (contents.classes if row.per_class else 1)
    assert contents.images == counted or -1 in row.counts.values()


@pytest.mark.parametrize("row", KINDS.values(), ids=lambda row: row.name)
def test_a_kind_is_complete(row: DatasetKind) -> None:
    assert row.summary and not row.summary.endswith(".")
    assert list(inspect.signature(row.read).parameters) == ["locate", "seed", *row.settings]
    assert set(row.settings) <= SETTINGS.keys()
    # A setting of one kind must be without effect on the others.
    assert not any(SETTINGS[name].default for name in row.settings)
    assert all(group for group in row.contains)


def test_no_setting_belongs_to_two_kinds() -> None:
    owned = [name for row in KINDS.values() for name in row.settings]
    assert len(owned) == len(set(owned))


def test_a_row_is_found_by_what_the_config_says() -> None:
    cars = known_set("torchvision", "my_cars", "cars196")
    assert cars is not None and cars.contents.images == 16_185
    masks = known_set("imagenet_s", "imagenet_s50", "")
    assert masks is not None and masks.contents.masks == 752
    assert known_set("folders", "food101", "") is None  # somebody's own folder of that name
    assert known_set("imagenet_s", "imagenet_s300", "") is None


def test_the_metric_of_a_set_is_the_default() -> None:
    assert EvalDataset(kind="torchvision", torchvision_name="pets").metric == "mean_per_class"
    assert EvalDataset(kind="torchvision", torchvision_name="pets", metric="accuracy").metric == "accuracy"
    assert EvalDataset(kind="torchvision", torchvision_name="dtd").metric == "accuracy"
    assert EvalDataset(kind="folders").metric == "accuracy"


def test_the_full_study_uses_the_sets_metrics() -> None:
    for one in merged()["datasets"]:
        row = known_set(one["kind"], one["name"], one.get("torchvision_name", ""))
        assert row is not None and one.get("metric", row.metric) == row.metric
