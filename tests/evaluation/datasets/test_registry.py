"""Every row is complete and true, so that no missing fact ends somebody's run."""

import inspect
import re
from typing import get_args

import pytest
import torchvision.datasets

from tests.conftest import ROOT
from workflow_scripts.evaluation.datasets import official_readers, registry
from workflow_scripts.evaluation.datasets.kinds import KINDS, DatasetKind
from workflow_scripts.evaluation.datasets.registry import DownstreamSet, Metric, Paths, Torchvision, known_set
from workflow_scripts.evaluation.datasets.splits import SPLITS
from workflow_scripts.stages.eval_dataset import EvalDataset

SETTINGS = EvalDataset.model_fields
LAYOUTS = {name: row.layout for name, row in registry.SETS.items() if isinstance(row.layout, Torchvision)}
# Published sizes (train, val, test) and classes: the sets' own pages and papers; for Caltech-101, EuroSAT and RESISC45,
# the original evaluation (lgssl/datasets/catalog.py), for the first of them without the background class.
PUBLISHED = {
    "food101": (75_750, None, 25_250, 101),
    "cifar10": (50_000, None, 10_000, 10),
    "cifar100": (50_000, None, 10_000, 100),
    "cub2011": (5_994, None, 5_794, 200),
    "sun397": (19_850, None, 19_850, 397),
    "sun397_120k": (19_850, None, 19_850, 397),
    "cars196": (8_144, None, 8_041, 196),
    "aircraft": (3_334, 3_333, 3_333, 100),
    "dtd": (1_880, 1_880, 1_880, 47),
    "pets": (3_680, None, 3_669, 37),
    "caltech101": (30 * 101, None, 9_144 - 467 - 30 * 101, 101),
    "caltech101_background": (30 * 102, None, 9_144 - 30 * 102, 102),
    "flowers": (1_020, 1_020, 6_149, 102),
    "stl10": (5_000, None, 8_000, 10),
    "eurosat": (5_000, 5_000, 5_000, 10),
    "resisc45": (3_150, 3_150, 25_200, 45),
    "pcam": (262_144, 32_768, 32_768, 2),
    "imagenet1k": (1_281_167, None, 50_000, 1000),
    "imagenet_s50": (64_431, None, 752, 50),
    "imagenet_s300": (384_862, None, 4_097, 300),
    "imagenet_s919": (1_183_322, None, 12_419, 919),
}


@pytest.mark.parametrize("row", registry.SETS.values(), ids=lambda row: row.name)
def test_a_dataset_entry_is_complete(row: DownstreamSet) -> None:
    assert row.name.isidentifier() and row.name == row.name.lower()
    assert row.metric in get_args(Metric)
    assert row.sizes.keys() <= set(SPLITS) and {"train", "test"} <= row.sizes.keys()
    assert min(row.sizes.values()) >= row.classes > 1
    assert row.summary.endswith(")")
    assert row.kind in KINDS
    assert (row.name in registry.TORCHVISION) == (row.kind == "torchvision")
    assert row.masks == (row.sizes["test"] if KINDS[row.kind].has_masks else 0)
    assert row.licence and re.fullmatch(r"https://\S+", row.homepage)
    assert all(re.fullmatch("[0-9a-f]{32}|[0-9a-f]{64}", checksum) for checksum in row.archives.values())


def test_the_table_in_the_docs_has_the_published_sizes() -> None:
    table = (
        (ROOT / "docs/runs.md").read_text().partition("<!-- generated: datasets -->")[2].partition("<!-- end -->")[0]
    )
    found = {}
    for line in table.strip().splitlines()[2:]:
        name, _, *numbers, _ = (cell.strip() for cell in line.strip("|").split("|"))
        train, val, test, classes = (int(one.replace(",", "")) if one else None for one in numbers)
        found[name.strip("`")] = (train, val, test, classes)
    assert found == PUBLISHED


@pytest.mark.parametrize("name", [name for name, row in LAYOUTS.items() if hasattr(torchvision.datasets, row.reader)])
def test_checksums_are_those_of_torchvision(name: str) -> None:
    """Where torchvision knows a checksum of an archive, the registry has the same."""
    source = inspect.getsource(inspect.getmodule(getattr(torchvision.datasets, LAYOUTS[name].reader)))
    for archive, checksum in registry.SETS[name].archives.items():
        assert checksum in source, archive


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_dataset_reader_accepts_its_registered_arguments(name: str) -> None:
    row = LAYOUTS[name]
    own = getattr(official_readers, row.reader, None)
    assert own is None or not hasattr(torchvision.datasets, row.reader)
    taken = inspect.signature(own or getattr(torchvision.datasets, row.reader)).parameters
    assert {"root", "download"} <= taken.keys()
    assert row.splits and row.splits.keys() <= set(SPLITS)
    assert all(arguments.keys() <= taken.keys() for arguments in row.splits.values())
    assert row.paths in get_args(Paths)
    assert ("loader" in taken) or row.paths != "loader"


@pytest.mark.parametrize("name", [name for name, row in LAYOUTS.items() if row.counts])
def test_registered_counts_give_the_split_sizes(name: str) -> None:
    layout, row = LAYOUTS[name], registry.SETS[name]
    assert layout.splits == {"train": {}} and layout.counts.keys() == row.sizes.keys()
    factor = row.classes if layout.per_class else 1
    assert all(row.sizes[split] == factor * count for split, count in layout.counts.items() if count >= 0)


@pytest.mark.parametrize("row", KINDS.values(), ids=lambda row: row.name)
def test_a_dataset_kind_is_complete(row: DatasetKind) -> None:
    assert row.summary and not row.summary.endswith(".")
    assert list(inspect.signature(row.read).parameters) == ["locate", "seed", *row.settings]
    assert set(row.settings) <= SETTINGS.keys()
    assert all(group for group in row.contains)


@pytest.mark.parametrize(
    ("name", "value", "owners"), [("min_dominance", 0.5, "masks"), ("image_column", "img", "table")]
)
def test_settings_of_other_kinds_are_refused(name: str, value: object, owners: str) -> None:
    for kind in owners.split(" or "):
        assert getattr(EvalDataset.model_validate({"kind": kind, name: value}), name) == value
    with pytest.raises(ValueError, match=f"{name} belongs to kind {owners}"):
        EvalDataset.model_validate({"kind": "folders", name: value})


def test_a_known_dataset_is_looked_up_by_its_config() -> None:
    cars = known_set("torchvision", "my_cars", "cars196")
    assert cars is not None and cars.images == 16_185
    masks = known_set("imagenet_s", "imagenet_s50", "")
    assert masks is not None and masks.masks == 752
    assert known_set("folders", "food101", "") is None  # somebody's own folder of that name
    assert known_set("imagenet_s", "imagenet_s3000", "") is None


def test_the_metric_of_a_set_is_the_default() -> None:
    assert EvalDataset(kind="torchvision", torchvision_name="pets").metric == "mean_per_class"
    assert EvalDataset(kind="torchvision", torchvision_name="pets", metric="accuracy").metric == "accuracy"
    assert EvalDataset(kind="torchvision", torchvision_name="dtd").metric == "accuracy"
    assert EvalDataset(kind="folders").metric == "accuracy"
