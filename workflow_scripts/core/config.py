"""The study as ``config.yaml`` and its overlays describe it, checked as a whole before the DAG is built.

Each section is the settings class of the stage that uses it. Lists (arms, encoders, pairs, runs, datasets) are the
study's axes: an overlay replaces a list and merges everything else.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, PositiveInt, ValidationError, field_validator

from workflow_scripts.core.checks import check_references
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.removal import token
from workflow_scripts.core.settings.annotations import Annotations
from workflow_scripts.core.settings.base import Settings
from workflow_scripts.core.settings.caption_quality import CaptionQuality
from workflow_scripts.core.settings.crate import Crate
from workflow_scripts.core.settings.data_card import DataCard
from workflow_scripts.core.settings.demo_world import DemoWorld
from workflow_scripts.core.settings.download import Download
from workflow_scripts.core.settings.embed_captions import EmbedCaptions
from workflow_scripts.core.settings.embed_images import EmbedImages
from workflow_scripts.core.settings.eval_dataset import EvalDataset
from workflow_scripts.core.settings.features import Features
from workflow_scripts.core.settings.few_shot import FewShot
from workflow_scripts.core.settings.linear_probe import LinearProbe
from workflow_scripts.core.settings.pair_quality import PairQuality
from workflow_scripts.core.settings.pair_table import PairTable
from workflow_scripts.core.settings.pretrain import Pretrain
from workflow_scripts.core.settings.recaption import Recaption
from workflow_scripts.core.settings.saliency import Saliency
from workflow_scripts.core.settings.select_captions import SelectCaptions
from workflow_scripts.core.settings.shard_plan import ShardPlan
from workflow_scripts.core.settings.source import SourceField
from workflow_scripts.core.settings.summary import Contrast

Name = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64, description="part of file names")
Step = PositiveInt | Literal["last", "best"]
UNTRAINED = frozenset({"backbone", "image_size"})  # settings that an untrained network depends on, beside its seed


class Compute(Settings):
    """Where and with what jobs compute."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where one is visible")
    math_threads: int = Field(4, ge=1, description="threads of the math libraries; part of every key")
    workers: int = Field(8, ge=1, description="cores a job may use for reading and decoding; never changes bytes")


class AnnotationsSection(Annotations):
    """Filters, and where the RedCaps zip is."""

    source: SourceField
    exclude: list[str] = Field(default=[], description='removal list: image ids and urls, such as ["abc123"]')
    exclude_from: SourceField | None = Field(
        None, description="further removal lists: a text file, or a folder of them; one id or url a line, # comments"
    )

    @field_validator("exclude")
    @classmethod
    def _entries(cls, entries: list[str]) -> list[str]:
        for entry in entries:
            token(entry)
        return entries


class RecaptionSection(Recaption):
    """Settings of recaptioning, and the two BLIP-2 models."""

    captioner: SourceField
    matcher: SourceField


class Arm(SelectCaptions):
    """One source of captions."""

    name: str = Name
    table: SourceField | None = Field(None, description="external: parquet or csv with columns key and caption")


class TextEncoder(EmbedCaptions):
    """A sentence-transformers model."""

    name: str = Name
    source: SourceField


class ImageEncoder(EmbedImages):
    """An image model; kind blip2 uses the matcher unless it names a source of its own."""

    name: str = Name
    source: SourceField | None = None


class Pairs(PairTable):
    """One pair table: of an arm's captions, or (without arm) of the images themselves."""

    name: str = Name
    arm: str | None = None
    encoder: str


class PairQualitySection(PairQuality):
    """Settings of the diagnostics of pairs."""

    image_encoder: str | None = Field(None, description="image encoder for the similarity of paired images")


class Run(Settings):
    """Runs of one method, one per seed; ``set`` overrides the section ``pretraining``."""

    method: Literal["simclr", "simsiam", "clip", "untrained"]
    pairs: str = Field("none", description="self, a pair table, or for clip an arm; none for untrained")
    augmentation: Literal["simclr", "crop", "none"] = "none"
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    set: dict[str, Any] = Field({}, description="settings of pretraining for these runs alone")


class Dataset(EvalDataset):
    """One downstream set."""

    name: str = Name
    source: SourceField | None = Field(None, description="where it lies; none for kind world")


class Evaluation(Settings):
    """What is evaluated, and how."""

    steps: tuple[Step, ...] = Field(
        ("last",), min_length=1, description="checkpoints among those that runs keep: numbers of steps, last, best"
    )
    features: Features = Features()
    linear_probe: LinearProbe = LinearProbe()
    few_shot: FewShot = FewShot()
    saliency: Saliency = Saliency()


class ReportSection(Settings):
    """What the page shows; see the report's own settings for the meaning."""

    seed: int = 0
    captions_each: int = Field(4, gt=0)
    pair_sources: int = Field(6, gt=0)
    saliency_images: int = Field(6, gt=0)


class CrateSection(Crate):
    """Settings of the crate, and whether it is made with all else."""

    in_all: bool = Field(False, description="true: a run without a target writes the crate too")


class Study(Settings):
    """A whole study."""

    study: str = Name
    compute: Compute = Compute()
    demo_world: DemoWorld | None = Field(None, description="the demo's own world; null for real data")
    annotations: AnnotationsSection
    shards: ShardPlan
    download: Download = Download()
    data_card: DataCard = DataCard()
    recaption: RecaptionSection
    arms: tuple[Arm, ...] = Field(min_length=1)
    caption_quality: CaptionQuality = CaptionQuality()
    text_encoders: tuple[TextEncoder, ...] = ()
    image_encoders: tuple[ImageEncoder, ...] = ()
    pairs: tuple[Pairs, ...] = ()
    pair_quality: PairQualitySection = PairQualitySection()
    pretraining: dict[str, Any] = Field({}, description="settings that all runs share")
    probe_dataset: str | None = Field(None, description="downstream set of the online probe (train and val only)")
    runs: tuple[Run, ...] = Field(min_length=1)
    datasets: tuple[Dataset, ...] = ()
    evaluation: Evaluation = Evaluation()
    contrasts: tuple[Contrast, ...] = Field((), description="further contrasts beside the standard ones")
    bootstrap: int = Field(2000, ge=100, description="resamples behind the intervals of contrasts")
    report: ReportSection = ReportSection()
    crate: CrateSection = CrateSection()


def load_study(config: Mapping[str, Any]) -> Study:
    """The checked study.

    Raises:
        PipelineError: a key is mistyped or missing, a value has a wrong type, a name refers to nothing, or a run's
            settings contradict each other. The first such place is named.
    """
    try:
        study = Study.model_validate(dict(config))
    except ValidationError as error:
        raise complaint(error, "config") from None
    check_references(study)
    return study


def complaint(error: ValidationError, where: str) -> PipelineError:
    """The first fault of a pydantic error in our one line."""
    first = error.errors()[0]
    place = ".".join([where, *(str(part) for part in first["loc"])])
    if first["type"] == "extra_forbidden":
        return PipelineError("unknown key", place, repr(first["loc"][-1]), "check its spelling against config.yaml")
    value = first["input"] if first["type"] != "missing" else "missing"
    return PipelineError("invalid value", place, repr(value)[:200], first["msg"].removeprefix("Value error, "))


def pretrain_settings(study: Study, run: Run, seed: int) -> Pretrain:
    """The full settings of one run.

    Raises:
        PipelineError: they contradict each other.
    """
    kind = run.pairs
    if run.method == "clip":
        kind = "caption"
    elif run.pairs not in ("self", "none"):
        kind = next("language" if pairs.arm else "visual" for pairs in study.pairs if pairs.name == run.pairs)
    values: dict[str, Any] = {**study.pretraining, **run.set}
    if run.method == "untrained":
        # Nothing else decides what an untrained network is, so an edit of anything else must not make it again.
        idle = Pretrain.model_fields.keys() - UNTRAINED  # a mistyped name stays, and is refused below
        values = {name: value for name, value in values.items() if name not in idle}
        values |= {"steps": 0, "warmup_steps": 0, "probe": None}
    elif "checkpoints" not in run.set:
        values |= _reached(values)
    heads = {"simclr", "simsiam", "clip"} - {run.method}
    values = {name: value for name, value in values.items() if name not in heads}
    fixed = {"method": run.method, "pairs": kind, "augmentation": run.augmentation, "seed": seed}
    try:
        return Pretrain.model_validate({**values, **fixed})
    except ValidationError as error:
        raise complaint(error, f"config.pretraining (run {run.method}, pairs {run.pairs})") from None


def _reached(values: Mapping[str, Any]) -> dict[str, Any]:
    """``checkpoints`` of the section that all runs share, without the steps that a shorter run does not have."""
    listed, end = values.get("checkpoints"), values.get("steps", Pretrain.model_fields["steps"].default)
    if not isinstance(listed, list | tuple) or not isinstance(end, int):
        return {}
    return {"checkpoints": [step for step in listed if not isinstance(step, int) or step <= end]}
