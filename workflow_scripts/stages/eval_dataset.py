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
    """One downstream set."""

    kind: Literal["folders", "world", "torchvision", "masks", "imagenet_s"] = Field(
        description="folders: <split>.tar.gz or <split>/ with <class>/<image>; world: a task of the procedural world; "
        "torchvision: the layout of a torchvision.datasets reader; masks: photos with object masks and labels.parquet; "
        "imagenet_s: ImageNet-S layout"
    )
    torchvision_name: TorchvisionName | Literal[""] = Field("", description="kind torchvision: which set, e.g. food101")
    task: Task | Literal[""] = Field(
        "", description="kind world: probe task; with masks, the task whose training images train"
    )
    masks: bool = Field(False, description="kind world: test on the images that have object masks")
    metric: Literal["accuracy", "mean_per_class"] = Field("accuracy", description="how test accuracy is averaged")
    seed: int = Field(0, ge=0, description="seed of all splits and limits")
    val_fraction: float = Field(0.2, gt=0, lt=1, description="share of train that is held out where a set has no val")
    test_fraction: float = Field(0.5, gt=0, lt=1, description="share held out for test where a set has no split at all")
    limit: dict[Literal["train", "val", "test"], int] = Field(
        default_factory=dict, description="at most so many images per split and class"
    )
    min_per_class: int = Field(1, ge=1, description="classes with fewer images in all are left out and counted")
    min_dominance: float = Field(
        0.0, ge=0, le=1, description="kind masks: smallest share of all annotated objects that the labelled one fills"
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
