"""A downstream set in one form: images, masks, labels, and a train / val / test split."""

import json
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage

# What evaluation/torchvision_sets.py can read; listed here so that a mistyped name is found before anything runs.
TorchvisionName = Literal[
    "aircraft",
    "caltech101",
    "cars196",
    "cifar10",
    "cifar100",
    "dtd",
    "eurosat",
    "flowers",
    "food101",
    "pcam",
    "pets",
    "stl10",
    "sun397",
]
Task = Literal["concept", "colour", "texture", "scene", "size"]  # of the demo's world


class EvalDataset(Settings):
    """A downstream dataset."""

    kind: Literal["folders", "world", "torchvision", "masks", "imagenet_s"] = Field(
        description="layout of the dataset. folders: <split>.tar.gz or <split>/ with <class>/<image>; torchvision: as "
        "torchvision.datasets reads it; masks: photos with object masks and labels.parquet; imagenet_s: ImageNet-S; "
        "world: a task of the demo's data",
        examples=["folders"],
    )
    torchvision_name: TorchvisionName | Literal[""] = Field(
        "", description="kind torchvision: which dataset", examples=["food101"]
    )
    task: Task | Literal[""] = Field(
        "",
        description="kind world: the label to predict; with masks: the task whose training images are used",
        examples=["concept"],
    )
    masks: bool = Field(
        False, description="kind world: true: the test images are those with object masks", examples=[True]
    )
    metric: Literal["accuracy", "mean_per_class"] = Field(
        "accuracy",
        description="metric of the linear probe. accuracy: share of test images; mean_per_class: mean over the classes",
        examples=["mean_per_class"],
    )
    seed: int = Field(0, ge=0, description="seed of splits and limits", examples=[1])
    val_fraction: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="share of train held out for validation if a dataset has no val split",
        examples=[0.1],
        json_schema_extra={"unit": "share of images"},
    )
    test_fraction: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="share held out for test if a dataset has no splits",
        examples=[0.3],
        json_schema_extra={"unit": "share of images"},
    )
    limit: dict[Literal["train", "val", "test"], int] = Field(
        default_factory=dict,
        description="maximum number of images per class, by split; no limit for splits left out",
        examples=[{"train": 150, "test": 50}],
        json_schema_extra={"unit": "images"},
    )
    min_per_class: int = Field(
        1,
        ge=1,
        description="classes with fewer images are left out and counted",
        examples=[8],
        json_schema_extra={"unit": "images"},
    )
    min_dominance: float = Field(
        0.0,
        ge=0,
        le=1,
        description="kind masks: minimum share of the area of all annotated objects that the labelled object covers",
        examples=[0.5],
        json_schema_extra={"unit": "share of area"},
    )

    @model_validator(mode="after")
    def _of_its_kind(self) -> "EvalDataset":
        if (self.kind == "torchvision") != bool(self.torchvision_name):
            raise ValueError("torchvision_name belongs to kind torchvision, and is needed there")
        if self.kind == "world" and not (self.task or self.masks):
            raise ValueError("kind world needs a task, masks: true, or both")
        if self.kind != "world" and (self.task or self.masks):
            raise ValueError("task and masks belong to kind world")
        if self.min_dominance and self.kind != "masks":
            raise ValueError("min_dominance belongs to kind masks")
        if any(count < 1 for count in self.limit.values()):
            raise ValueError("limit must be at least 1; leave a split out for no limit")
        return self


if TYPE_CHECKING:
    from workflow_scripts.evaluation.datasets.picture_sets import PictureSet


def eval_dataset(job: Job[EvalDataset]) -> None:
    """Choose, check and copy the images of one set."""
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation.datasets.dataset_files import Choice, choose, class_list, write_dataset

    settings = job.settings
    source = open_source(job)
    listing = source.listing()
    limit = {str(split): count for split, count in settings.limit.items()}
    choice = Choice(settings.seed, settings.val_fraction, settings.test_fraction, limit, settings.min_per_class)
    entries, left_out = choose(listing, choice, source.where)
    classes = class_list(listing, entries)
    table = write_dataset(source, entries, classes, job.file(".tar"), job.workers)
    write_table(job.file(".parquet"), table)
    has_masks = table["mask_offset"].null_count < len(table)
    facts = {"classes": classes, "metric": settings.metric, "has_masks": has_masks}
    job.file(".json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    job.rows(len(table) + sum(left_out.values()), len(table), dict(left_out))


def open_source(job: Job[EvalDataset]) -> "PictureSet":
    """The set named in the settings; only the reader of its kind is imported."""
    settings = job.settings
    if settings.kind == "world":
        from workflow_scripts.evaluation.datasets.world_sets import MasksTar, WorldTask

        world = job.input("world")
        task = WorldTask(world.path(f".probe_{settings.task}.tar")) if settings.task else None
        if settings.masks:
            return MasksTar(world.path(".masks.tar"), task)
        assert task is not None  # by the settings' own check
        return task
    root = job.source("dataset")
    if settings.kind == "folders":
        from workflow_scripts.evaluation.datasets.folder_sets import FolderSet

        return FolderSet(root)
    if settings.kind == "torchvision":
        from workflow_scripts.evaluation.datasets.torchvision_sets import TorchvisionSet

        return TorchvisionSet(settings.torchvision_name, root, settings.seed)
    from workflow_scripts.evaluation.datasets.mask_sets import ImageNetS, MaskFolder

    return ImageNetS(root) if settings.kind == "imagenet_s" else MaskFolder(root, settings.min_dominance)


def main(argv: list[str] | None = None) -> None:
    """The command."""
    run_stage(eval_dataset, EvalDataset, argv, packages=("pillow", "pyarrow"))


if __name__ == "__main__":
    main()
