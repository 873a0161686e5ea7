"""The sections of a config: settings of a stage, with what the config adds to them (names, sources, references)."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveInt, SkipValidation, create_model, field_validator

from workflow_scripts.acquisition.annotations.removal_tokens import token
from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.core.settings import Settings
from workflow_scripts.evaluation.discrimination.rule import Discrimination
from workflow_scripts.models.networks.settings import ExternalNetwork
from workflow_scripts.models.networks.view import Scaling
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.method import PairKind
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.stages.annotations import Annotations
from workflow_scripts.stages.caption_labels import CaptionLabels
from workflow_scripts.stages.crate import CrateContents
from workflow_scripts.stages.eval_dataset import EvalDataset
from workflow_scripts.stages.leakage import Leakage
from workflow_scripts.stages.pair_quality import PairQuality
from workflow_scripts.stages.pair_table import PairTable
from workflow_scripts.stages.recaption import Recaption
from workflow_scripts.stages.score_captions import ScoreCaptions
from workflow_scripts.stages.select_captions import SelectCaptions
from workflow_scripts.stages.source import SourceField
from workflow_scripts.stages.vector_matches import VectorMatches
from workflow_scripts.study.stages import sections_below

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
Name = Field(pattern=NAME, max_length=64, description="name; part of file names", examples=["my-name"])
TAG = r"^[A-Za-z0-9_-]*$"
Step = PositiveInt | Literal["last", "best"]


class Compute(Settings):
    """Device, threads and cores of jobs."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="device of the jobs. auto: a GPU if one is visible", examples=["cpu"]
    )
    math_threads: int = Field(
        4,
        ge=1,
        description="threads of the math libraries; changes the last bits of results",
        examples=[1],
        json_schema_extra={"unit": "threads"},
    )
    workers: int = Field(
        8,
        ge=1,
        description="cores that a job may use for reading and decoding; does not change results",
        examples=[2],
        json_schema_extra={"unit": "cores"},
    )


class AnnotationsSection(Annotations):
    """Which annotations are used, and which rows are removed."""

    source: SourceField = Field(
        description="RedCaps annotation zip, your own captioned images, or world (the demo's data)",
        examples=["world", {"at": "https://example.org/redcaps.zip", "sha256": "0" * 64}],
    )
    exclude: list[str] = Field(
        default=[],
        description="removal list of image ids and URLs; every trace of these rows is removed",
        examples=[["abc123"]],
    )
    exclude_from: SourceField | None = Field(
        None,
        description="more removal lists: a text file or a folder of them; one id or URL per line, # starts a comment",
        examples=["data/removed.txt"],
    )

    @field_validator("exclude")
    @classmethod
    def _entries(cls, entries: list[str]) -> list[str]:
        for entry in entries:
            token(entry)
        return entries


class RecaptionSection(Recaption):
    """Captioning, and image-text matching (ITM) with BLIP-2."""

    captioner: SourceField = Field(
        description="model that generates captions: any of transformers' AutoModelForImageTextToText, such as BLIP-2, "
        "BLIP, GIT or LLaVA",
        examples=["hub:Salesforce/blip2-opt-2.7b@main", "models/captioner"],
    )
    matcher: SourceField = Field(
        description="BLIP-2 model that scores captions (ITM and ITC)",
        examples=["hub:Salesforce/blip2-itm-vit-g@main", "models/matcher"],
    )


class Arm(SelectCaptions):
    """One caption per image: which one, and from where."""

    name: str = Name
    table: SourceField | None = Field(
        None,
        description="external: a parquet, CSV or JSON file with key and caption (docs/your-own-data.md)",
        examples=["data/my_captions.parquet"],
    )


class Judge(ScoreCaptions):
    """What scores the captions of all arms."""

    name: str = Name
    source: SourceField | None = Field(
        None,
        description="the model; null: the matcher of recaption (blip2)",
        examples=["hub:openai/clip-vit-large-patch14@main"],
    )
    encoder: str | None = Field(
        None, description="text encoder, for kinds that need one (agreement, ridge, text_label)", examples=["mpnet"]
    )
    photos: SourceField | None = Field(
        None,
        description="ridge: a folder of photos with captions by people: the images, and captions.parquet with the "
        "columns file (path of an image in the folder) and captions (a list of texts)",
        examples=["data/captioned_photos"],
    )
    reference: str | None = Field(
        None,
        description="agreement: the arm with whose captions those of other arms are compared",
        examples=["generated"],
    )


class ScoringSection(Settings):
    """How the scoring of captions is divided into jobs."""

    shards_per_job: int = Field(
        10,
        ge=1,
        description="consecutive shards that a job scores, with the judge loaded once",
        examples=[2],
        json_schema_extra={"unit": "shards"},
    )


class CaptionLabelsSection(CaptionLabels):
    """How people's ratings are compared with the scores of the matcher (ITM and ITC) and of the judges."""

    source: SourceField = Field(
        description="a folder with the CSV files of the raters and the keys of their sheets", examples=["data/labels"]
    )


class Pairs(PairTable):
    """A pair table: partners by the captions of an arm or, without an arm, by the images."""

    name: str = Name
    arm: str | None = Field(
        None, description="arm whose captions are compared; null: images are compared", examples=["revised"]
    )
    encoder: str = Field(description="text encoder or, without an arm, image encoder", examples=["minilm"])


class PairQualitySection(PairQuality):
    """How the quality of pairs is measured."""

    image_encoder: str | None = Field(
        None, description="image encoder for the similarity of paired images; null: not measured", examples=["blip2"]
    )


class LeakageSection(Leakage, VectorMatches):
    """Which test images count as copies of training images."""

    encoder: str | None = Field(
        None,
        description="image encoder whose vectors are compared too; null: none, so small crops and framed copies "
        "are found less often",
        examples=["clip"],
    )


class Network(ExternalNetwork):
    """A network that is not trained here, for runs of method external."""

    name: str = Name
    source: SourceField | None = Field(
        None,
        description="file or folder of the weights; null for random weights of a named architecture",
        examples=["hub:timm/vit_small_patch16_224.augreg_in21k_ft_in1k@main", "models/lgsimclr.ckpt"],
    )


def _methods(pairs: PairKind) -> str:
    """Names of the methods that accept pairs of a kind."""
    return ", ".join(name for name, method in METHODS.items() if pairs in method.pairs)


class Run(Settings):
    """Pretraining runs, one per seed."""

    method: Annotated[str, OneOf(METHODS)] = Field(
        description=f"method of pretraining. {listed(METHODS)}", examples=["simclr"]
    )
    pairs: str = Field(
        "none",
        description="positive pairs: self (two views of an image), a pair table or, for methods that match images "
        f"with captions ({_methods('caption')}), an arm; labels: for methods that learn from labels "
        f"({_methods('labels')}); none: untrained",
        examples=["revised"],
    )
    encoder: str | None = Field(
        None,
        description="name of the text encoder, for methods that learn from vectors of captions "
        f"({', '.join(name for name, method in METHODS.items() if 'vectors' in method.learns)}); null: the only one",
        examples=["mpnet"],
    )
    network: str | None = Field(
        None, description="method external: name of one of networks; null for all other methods", examples=["clip-b16"]
    )
    augmentation: Annotated[str, OneOf(AUGMENTATIONS)] = Field(
        "none", description=f"augmentation of each view. {listed(AUGMENTATIONS)}", examples=["crop"]
    )
    tag: str = Field(
        "",
        pattern=TAG,
        max_length=64,
        description="part of the run's name and a column of the tables, for runs that differ in `set` alone",
        examples=["short"],
    )
    seeds: tuple[int, ...] = Field((0,), min_length=1, description="seeds; each is a run", examples=[[0, 1, 2]])
    check_saliency: bool = Field(
        False,
        description="true: the saliency maps of the run with the first seed are checked for sanity and "
        "faithfulness, at its last evaluated step",
        examples=[True],
    )
    set: dict[str, Any] = Field(
        {},
        description="settings of these runs that override the section pretraining",
        examples=[{"backbone": "resnet50"}],
    )
    sweep: Annotated[dict[str, list[Any]] | list[dict[str, Any]] | None, SkipValidation] = Field(
        None,
        description="settings to vary: lists of values, whose grid is run, or a list of points; each point is a run "
        "whose tag has its values (steps-4_lr-1e-3); a tag given here comes first",
        examples=[{"steps": [50_000, 250_000], "lr": [5.0e-4, 1.0e-3]}],
    )


class Dataset(EvalDataset):
    """A downstream dataset."""

    name: str = Name
    evaluate: bool = Field(
        True, description="false: no table reports it; it only chooses checkpoints (probe_dataset)", examples=[False]
    )
    source: SourceField | None = Field(
        None, description="where the dataset is; none for kind world", examples=["torchvision:data/downstream/food101"]
    )


class _Evaluation(Scaling):
    """:class:`Evaluation` without the sections of the stages."""

    steps: tuple[Step, ...] = Field(
        ("last",),
        min_length=1,
        description="kept checkpoints to evaluate: steps (in runs with epochs: epochs), last, best by the online probe",
        examples=[[1000, "last"]],
    )


if TYPE_CHECKING:

    class Evaluation(_Evaluation):
        """Which checkpoints are evaluated, and how."""

        discrimination: Discrimination = Discrimination()
else:
    Evaluation = create_model(
        "Evaluation",
        __base__=_Evaluation,
        __doc__="Which checkpoints are evaluated, and how.",
        **{
            name: (settings, Field(settings(), description=f"settings of stage {name}"))
            for name, settings in sections_below("evaluation").items()
        },
    )


class CrateSection(CrateContents):
    """The study as a Workflow Run RO-Crate."""

    in_all: bool = Field(False, description="true: a run without a target writes the crate too", examples=[True])
