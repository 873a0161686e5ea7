"""A downstream dataset in a common format: images, masks, labels, and a train / val / test split."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.demo.world.settings import Label
from workflow_scripts.evaluation.datasets.kinds import KINDS, Locate
from workflow_scripts.evaluation.datasets.registry import SETS, TORCHVISION, Metric, known_set

PLACED = [name for name, row in SETS.items() if row.kind != "torchvision"]
"""Sets whose rows a dataset of the same kind and name uses."""


class EvalDataset(Settings):
    """A downstream dataset."""

    kind: Annotated[str, OneOf(KINDS)] = Field(
        description=f"layout of the dataset. {listed(KINDS)}", examples=["folders"]
    )
    torchvision_name: Annotated[str, OneOf(TORCHVISION)] | Literal[""] = Field("", examples=["food101"])
    """Kind torchvision: which dataset."""
    task: Label | Literal[""] = Field("", examples=["concept"])
    """Kind world: the label to predict; with masks: the task whose training images are used."""
    masks: bool = Field(False, examples=[True])
    """Kind world: true: the test images are those with object masks."""
    metric: Metric = Field("accuracy", examples=["mean_per_class"])
    """Metric of the linear probe. accuracy: share of test images; mean_per_class: mean over the classes. If left out,
    kind torchvision uses the dataset's usual metric (docs/runs.md)."""
    seed: int = Field(0, ge=0, examples=[1])
    """Seed of splits and limits."""
    val_fraction: float = quantity(0.2, unit="share of images", gt=0, lt=1, examples=[0.1])
    """Share of train held out for validation if a dataset has no val split."""
    test_fraction: float = quantity(0.5, unit="share of images", gt=0, lt=1, examples=[0.3])
    """Share held out for test if a dataset has no splits."""
    limit: dict[Literal["train", "val", "test"], Annotated[int, Field(ge=1)]] = quantity(
        {}, unit="images", examples=[{"train": 150, "test": 50}]
    )
    """Maximum number of images per class, by split; no limit for splits left out."""
    min_per_class: int = quantity(1, unit="images", ge=1, examples=[8])
    """Classes with fewer images are left out and counted."""
    image_column: str = Field("", examples=["img"])
    """Kind table: column of encoded images; empty: `image`."""
    label_column: str = Field("", examples=["fine_label"])
    """Kind table: column of labels; empty: `label`."""
    min_dominance: float = quantity(0.0, unit="share of area", ge=0, le=1, examples=[0.5])
    """Kind masks: minimum share of the area of all annotated objects that is covered by the labelled object."""

    @model_validator(mode="before")
    @classmethod
    def _usual_metric(cls, values: Any) -> Any:
        """A torchvision dataset has a default metric, which the config may override."""
        row = SETS.get(str(values.get("torchvision_name"))) if isinstance(values, dict) else None
        return values if row is None else {"metric": row.metric, **values}

    @model_validator(mode="after")
    def _of_its_kind(self) -> "EvalDataset":
        for name in sorted({name for kind in KINDS.values() for name in kind.settings}):
            owners = [kind.name for kind in KINDS.values() if name in kind.settings]
            if self.kind not in owners and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} belongs to kind {' or '.join(owners)}")
        if self.kind == "torchvision" and not self.torchvision_name:
            raise ValueError("kind torchvision needs a torchvision_name")
        if self.kind == "world" and not (self.task or self.masks):
            raise ValueError("kind world needs a task, masks: true, or both")
        return self

    @property
    def has_masks(self) -> bool:
        """Whether some images have an object mask."""
        return self.masks or KINDS[self.kind].has_masks


def eval_dataset(job: Job[EvalDataset]) -> None:
    """Select, check and copy the images of one dataset."""
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation.datasets.dataset_files import (
        Choice,
        check_archives,
        check_contents,
        choose,
        class_list,
        write_dataset,
    )

    settings = job.settings
    row = known_set(settings.kind, job.unit.get("dataset", ""), settings.torchvision_name)
    if row is not None:
        check_archives(row, job.source("dataset"))
    kind = KINDS[settings.kind]
    locate: Locate = job.input("world").path if kind.from_world else job.source("dataset").joinpath
    source = kind.read(locate, settings.seed, **{name: getattr(settings, name) for name in kind.settings})
    listing = source.listing()
    if row is not None:
        check_contents(row, listing, source.where)
    choice = Choice(**settings.model_dump(include={*Choice._fields}))
    entries, left_out = choose(listing, choice, source.where)
    classes = class_list(listing, entries)
    table = write_dataset(source, entries, classes, job.file(".tar"), job.workers)
    write_table(job.file(".parquet"), table)
    has_masks = table["mask_offset"].null_count < len(table)
    facts = {"classes": classes, "metric": settings.metric, "has_masks": has_masks}
    tested = {entry.class_name for entry in entries if entry.split == "test"}
    if len(tested) < len(classes):
        facts["without_test_images"] = [name for name in classes if name not in tested]
    job.file(".json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    job.rows(len(table) + sum(left_out.values()), len(table), dict(left_out))


STAGE = Stage(
    run=eval_dataset,
    settings=EvalDataset,
    artifact="{dataset}",
    packages=("pillow", "pyarrow"),
    entries=lambda settings: {
        "evaluation.datasets.kinds": [settings.kind],
        "evaluation.datasets.registry": [settings.torchvision_name] if settings.kind == "torchvision" else PLACED,
    },
)

FACTS = Facts(
    files={
        ".tar": File("images and masks"),
        ".parquet": File("label, split; offset, size and sha256 of images and masks"),
        ".json": File("classes, metric; classes without test images, if any", published=True),
    },
    environment="train",
    resources=Resources(minutes=240, memory_mb=4_000),
    cost=Cost(per="labelled image", units=lambda load: load.labelled, core_ms=0.5, source="demo study, upper bound"),
    disk=lambda load: load.labelled * 40_000,
    section="datasets.{dataset}",
    sources={"dataset": "dataset-{dataset}"},
    names=lambda units: [dataset.name for dataset in units.study.datasets],
    inputs={
        "world": lambda units, unit: (
            ["demo_world/world"] if KINDS[units.item("datasets", unit["dataset"]).kind].from_world else []
        )
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
