"""The study as ``config.yaml`` and its overlays describe it, checked as a whole before the DAG is built.

Each section is the settings class of the stage that uses it. Lists (arms, encoders, pairs, runs, datasets) are the
study's axes: an overlay replaces a list and merges everything else.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, PositiveInt, ValidationError, field_validator

from workflow_scripts.acquisition.annotations.removal_tokens import token
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.core.settings import Settings
from workflow_scripts.evaluation.contrasts.settings import Contrast
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.stages.annotations import Annotations
from workflow_scripts.stages.caption_quality import CaptionQuality
from workflow_scripts.stages.crate import Crate
from workflow_scripts.stages.data_card import DataCard
from workflow_scripts.stages.demo_world import DemoWorld
from workflow_scripts.stages.embed_captions import EmbedCaptions
from workflow_scripts.stages.embed_images import EmbedImages
from workflow_scripts.stages.eval_dataset import EvalDataset
from workflow_scripts.stages.features import Features
from workflow_scripts.stages.few_shot import FewShot
from workflow_scripts.stages.linear_probe import LinearProbe
from workflow_scripts.stages.pair_quality import PairQuality
from workflow_scripts.stages.pair_table import PairTable
from workflow_scripts.stages.recaption import Recaption
from workflow_scripts.stages.saliency import Saliency
from workflow_scripts.stages.select_captions import SelectCaptions
from workflow_scripts.stages.shard_plan import ShardPlan
from workflow_scripts.stages.source import SourceField
from workflow_scripts.study.config.checks import reference_errors
from workflow_scripts.study.config.errors import SettingError, misread_booleans, placed, validation_errors
from workflow_scripts.study.config.files import Config, Node, node_of
from workflow_scripts.study.config.run_settings import run_errors, shared_errors

Name = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64, description="part of file names")
Step = PositiveInt | Literal["last", "best"]


class Compute(Settings):
    """Where and with what jobs compute."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if one is visible")
    math_threads: int = Field(4, ge=1, description="threads of the math libraries; part of every key")
    workers: int = Field(8, ge=1, description="cores a job may use for reading and decoding; never changes bytes")


class AnnotationsSection(Annotations):
    """Filters, and where the RedCaps zip is."""

    source: SourceField
    exclude: list[str] = Field(default=[], description='removal list: image ids and urls, such as ["abc123"]')
    exclude_from: SourceField | None = Field(
        None,
        description="more removal lists: a text file or a folder of them; one id or URL per line, # starts a comment",
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
    set: dict[str, Any] = Field({}, description="pretraining settings for these runs only")


class Dataset(EvalDataset):
    """One downstream set."""

    name: str = Name
    source: SourceField | None = Field(None, description="where it is; none for kind world")


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
    demo_world: DemoWorld | None = Field(None, description="the demo's synthetic data; null for real data")
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
    contrasts: tuple[Contrast, ...] = Field((), description="contrasts in addition to the standard ones")
    bootstrap: int = Field(2000, ge=100, description="resamples behind the intervals of contrasts")
    report: ReportSection = ReportSection()
    crate: CrateSection = CrateSection()


def load_study(config: Mapping[str, Any] | Config) -> Study:
    """The checked study.

    Args:
        config: what :func:`workflow_scripts.study.config.files.read_config` gives, so that errors name file and
            line; or plain values, whose errors name the key alone.

    Raises:
        PipelineErrors: keys are mistyped, missing or given twice, values have a wrong type, names refer to nothing, or
            settings of a run contradict each other. All that was found is named.
    """
    given = config if isinstance(config, Config) else Config(node_of(config))
    root = given.root
    study, refused = _validated(root)
    refused += misread_booleans(root, Study)
    refused += misread_booleans(root.below("pretraining"), Pretrain, ("pretraining",))
    errors: list[PipelineError] = [*given.errors, *refused]
    if study is None:
        errors += shared_errors(root)
    else:
        found = list(reference_errors(study))
        found += run_errors(study, root, {error.path[1] for error in found if error.path[0] == "runs"})
        # What is wrong in an item of which a value was refused may follow from that.
        known = {error.path[:2] for error in refused}
        errors += [error for error in found if error.path[:2] not in known]
    if errors or study is None:
        raise placed(PipelineErrors(errors), root)
    return study


def _inside(data: Any, path: Sequence[Any]) -> Any:
    """What is at ``path``; None where an outer part of it was refused and taken out before."""
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return None
    return data


def _validated(root: Node) -> tuple[Study | None, list[SettingError]]:
    """The study, and what pydantic refuses; it is then the study without that, or None where it needs it."""
    data = root.data()
    try:
        return Study.model_validate(data), []
    except ValidationError as error:
        refused = validation_errors(error, Study, root)
    for path in [error.path for error in refused]:
        # Of a list of values nothing is kept; of an axis, which is a list of mappings, all members are.
        *above, key = next((path[:n] for n in range(len(path), 0, -1) if isinstance(path[n - 1], str)), ("",))
        part = _inside(data, above)
        if isinstance(part, dict) and (above or path == (key,)):
            part.pop(key, None)
    try:
        return Study.model_validate(data), refused
    except ValidationError:
        return None, refused
