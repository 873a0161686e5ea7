"""The study as ``config.yaml`` and its overlays describe it, checked as a whole before the DAG is built.

Each section is the settings class of the stage that uses it. Lists (arms, encoders, pairs, runs, datasets) are the
study's axes: an overlay replaces a list and merges everything else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, ValidationError

from workflow_scripts.acquisition.settings import Download
from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.core.settings import Settings
from workflow_scripts.evaluation.contrasts.settings import Contrast, Resamples, StandardContrasts
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.reporting.settings import ReportContents
from workflow_scripts.stages.demo_world import DemoWorld
from workflow_scripts.stages.judge_comparison import JudgeComparison
from workflow_scripts.stages.pack import Pack
from workflow_scripts.stages.shard_plan import ShardPlan
from workflow_scripts.study.config.caption_quality import CaptionQualitySection
from workflow_scripts.study.config.checks import reference_errors
from workflow_scripts.study.config.contrast_checks import contrast_errors
from workflow_scripts.study.config.encoders.sections import ImageEncoder, TextEncoder, TokenizerSection
from workflow_scripts.study.config.errors import SettingError, misread_booleans, placed, validation_errors
from workflow_scripts.study.config.files import Config
from workflow_scripts.study.config.nodes import Node, node_of
from workflow_scripts.study.config.run_settings import misplaced_settings, run_errors, shared_errors
from workflow_scripts.study.config.sections import (
    NAME,
    AnnotationsSection,
    Arm,
    CaptionLabelsSection,
    Compute,
    CrateSection,
    Dataset,
    Evaluation,
    Judge,
    LeakageSection,
    Network,
    PairQualitySection,
    Pairs,
    RecaptionSection,
    Run,
    ScoringSection,
)
from workflow_scripts.study.lock.file import read_lock
from workflow_scripts.study.lock.pin import pinned


class Study(Settings):
    """The settings of a study, as config.yaml and its overlays give them."""

    study: str = Field(
        pattern=NAME,
        max_length=64,
        description="name of the study; results go to results/<study>",
        examples=["my-study"],
    )
    compute: Compute = Field(Compute(), description="device, threads and cores of jobs")
    demo_world: DemoWorld | None = Field(None, description="the demo's synthetic data; null: real data")
    annotations: AnnotationsSection = Field(description="which annotations are used")
    shards: ShardPlan = Field(description="how rows are divided into shards")
    download: Download = Field(Download(), description="what is fetched, how fast, and how images are stored")
    pack: Pack | None = Field(
        None,
        description="trainings read packs: the images of a shard in one file, scaled down, which is read and decoded "
        "faster. null: they read the shards",
        examples=[{"shorter_side": 320}],
    )
    recaption: RecaptionSection = Field(description="captioning and image-text matching (ITM) with BLIP-2")
    arms: tuple[Arm, ...] = Field(min_length=1, description="captions that are compared; each arm has one per image")
    judges: tuple[Judge, ...] = Field((), description="what scores the captions of all arms")
    score_captions: ScoringSection = Field(ScoringSection(), description="how scoring is divided into jobs")
    judge_comparison: JudgeComparison = Field(JudgeComparison(), description="how the choices of judges are compared")
    caption_quality: CaptionQualitySection = Field(
        CaptionQualitySection(), description="how the quality of captions is measured"
    )
    caption_labels: CaptionLabelsSection | None = Field(
        None, description="people's ratings of captions (docs/labelling.md); null: there are none"
    )
    text_encoders: tuple[TextEncoder, ...] = Field((), description="models that embed captions")
    image_encoders: tuple[ImageEncoder, ...] = Field((), description="models that embed images")
    pairs: tuple[Pairs, ...] = Field((), description="pair tables: nearest neighbours by caption or by image")
    pair_quality: PairQualitySection = Field(PairQualitySection(), description="how the quality of pairs is measured")
    tokenizer: TokenizerSection = Field(
        TokenizerSection(), description="the tokenizer of all runs that learn from tokens, such as CLIP's"
    )
    pretraining: dict[str, Any] = Field({}, description="settings that all runs share")
    common_images: bool = Field(
        False,
        description="true: all runs train on the same images, those for which every run has a partner or a caption",
        examples=[True],
    )
    probe_dataset: str | None = Field(
        None,
        description="dataset of the online probe; its validation images, never its test images, choose checkpoint "
        "best and where patience ends a run. null: it predicts subreddits, and neither of these can be used",
        examples=["stl10"],
    )
    networks: tuple[Network, ...] = Field((), description="networks from elsewhere, for runs of method external")
    runs: tuple[Run, ...] = Field(min_length=1, description="networks that are pretrained and evaluated")
    datasets: tuple[Dataset, ...] = Field((), description="downstream datasets")
    evaluation: Evaluation = Field(Evaluation(), description="which checkpoints are evaluated, and how")
    leakage: LeakageSection = Field(
        LeakageSection(), description="which test images count as copies of training images"
    )
    contrasts: tuple[Contrast, ...] = Field(
        (),
        description="contrasts besides the standard ones, which they replace by name",
        examples=[[{"name": "revised - shuffled", "minuend": "revised", "subtrahend": "shuffled"}]],
    )
    standard_contrasts: bool = StandardContrasts
    bootstrap: int = Resamples
    report: ReportContents = Field(ReportContents(), description="what the report shows")
    crate: CrateSection = Field(CrateSection(), description="the study as a Workflow Run RO-Crate")


def load_study(config: Mapping[str, Any] | Config) -> Study:
    """The checked study, with the commits and the sha256 of the config's lock, if there is one.

    Args:
        config: see :func:`checked_study`.

    Raises:
        PipelineErrors: see :func:`checked_study`; the lock is damaged; or a source has another revision or sha256 than
            the lock, is missing from it, or is a URL without a sha256.
    """
    given = config if isinstance(config, Config) else Config(node_of(config))
    name = given.lock_file.name if given.lock_file else ""
    study, errors = pinned(checked_study(given), read_lock(given.lock_file), name)
    if errors:
        raise placed(PipelineErrors(errors), given.root)
    return study


def checked_study(given: Config) -> Study:
    """The checked study, without regard to a lock.

    Args:
        given: what :func:`workflow_scripts.study.config.files.read_config` gives, so that errors name file and line.

    Raises:
        PipelineErrors: keys are mistyped, missing or given twice, values have a wrong type, names refer to nothing, or
            settings of a run contradict each other. All that was found is named.
    """
    root = given.root
    study, refused = _validated(root)
    refused += misread_booleans(root, Study)
    refused += misread_booleans(root.below("pretraining"), Pretrain, ("pretraining",))
    refused += misplaced_settings(root)
    errors: list[PipelineError] = [*given.errors, *refused]
    if study is None:
        errors += shared_errors(root)
    else:
        found = list(reference_errors(study))
        found += run_errors(study, root, {error.path[1] for error in found if error.path[0] == "runs"})
        behind = ("arms", "pairs", "pretraining", "runs", "evaluation")  # what contrasts follow from
        found += contrast_errors(study, not any(error.path[0] in behind for error in found))
        # What is wrong in an item of which a value was refused may follow from that.
        known = {error.path[:2] for error in refused}
        errors += [error for error in found if error.path[:2] not in known]
    if errors or study is None:
        raise placed(PipelineErrors(errors), root)
    return study


def _validated(root: Node) -> tuple[Study | None, list[SettingError]]:
    """Validate with pydantic, and again without what it refused, so that more errors are found in one go.

    Returns:
        The study, without refused values, and the errors; None for the study if it is invalid without them.
    """
    data = root.data()
    try:
        return Study.model_validate(data), []
    except ValidationError as error:
        refused = validation_errors(error, Study, root)
    for refusal in refused:
        _remove(data, refusal.path)
    try:
        return Study.model_validate(data), refused
    except ValidationError:
        return None, refused


def _remove(data: Any, path: Sequence[Any]) -> None:
    """Remove the innermost key on ``path`` from config values, in place.

    A refused member takes its whole list with it, as in ``download.placeholder_names``; but an axis (a list at the
    top, such as ``runs``) keeps its members, less their refused keys.
    """
    *above, key = next((path[:n] for n in range(len(path), 0, -1) if isinstance(path[n - 1], str)), ("",))
    part = _inside(data, above)
    if isinstance(part, dict) and (above or path == (key,)):
        part.pop(key, None)


def _inside(data: Any, path: Sequence[Any]) -> Any:
    """The value at ``path``; None if an outer part of it was removed before."""
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return None
    return data
