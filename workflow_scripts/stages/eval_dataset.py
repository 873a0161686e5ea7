"""A downstream set in one form: images, masks, labels, and a train / val / test split."""

import json
from typing import TYPE_CHECKING

from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.evaluation.settings.eval_dataset import EvalDataset

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
