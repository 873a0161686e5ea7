"""The study as ``config.yaml`` and its overlays describe it, and its sections.

A section is the settings of the stage that uses it, with what the config adds: names, sources, references. Lists (arms,
encoders, pairs, runs, datasets) are the study's axes: an overlay replaces a list and merges everything else.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, PositiveInt, create_model, field_validator
from pydantic_core import PydanticKnownError

from workflow_scripts.acquisition.annotations.removal_tokens import token
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.core.sources import TORCHVISION
from workflow_scripts.evaluation.contrasts.settings import Contrast, Resamples, StandardContrasts
from workflow_scripts.evaluation.datasets.registry import SETS, DownstreamSet, known_set
from workflow_scripts.evaluation.discrimination.rule import Discrimination
from workflow_scripts.models.networks.settings import ExternalNetwork
from workflow_scripts.models.networks.view import Scaling
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.method import PairKind
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.stages.annotations import Annotations
from workflow_scripts.stages.caption_labels import CaptionLabels
from workflow_scripts.stages.caption_quality import CaptionQuality
from workflow_scripts.stages.crate import CrateContents
from workflow_scripts.stages.demo_world import DemoWorld
from workflow_scripts.stages.embed_captions import EmbedCaptions
from workflow_scripts.stages.embed_images import EmbedImages
from workflow_scripts.stages.eval_dataset import EvalDataset
from workflow_scripts.stages.judge_comparison import JudgeComparison
from workflow_scripts.stages.leakage import Leakage
from workflow_scripts.stages.pack import Pack
from workflow_scripts.stages.pair_quality import PairQuality
from workflow_scripts.stages.pair_table import PairTable
from workflow_scripts.stages.recaption import Recaption
from workflow_scripts.stages.score_captions import ScoreCaptions
from workflow_scripts.stages.select_captions import ARM_KINDS, SelectCaptions
from workflow_scripts.stages.shard_plan import ShardPlan
from workflow_scripts.stages.source import WORLD, SourceField
from workflow_scripts.stages.tokenizer import Tokenizer
from workflow_scripts.stages.tokens import Tokens
from workflow_scripts.stages.vector_matches import VectorMatches
from workflow_scripts.study.config.stages import sections_below

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
Name = Field(pattern=NAME, max_length=64, description="name; part of file names", examples=["my-name"])
TAG = r"^[A-Za-z0-9_-]*$"
Step = PositiveInt | Literal["last", "best"]
RESERVED_PAIRS = ("self", "labels", "none")


class Compute(Settings):
    """Device, threads and cores of jobs."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", examples=["cpu"])
    """Device of the jobs. auto: a GPU if one is visible."""
    math_threads: int = quantity(4, unit="threads", ge=1, examples=[1])
    """Threads of the math libraries; changes the last bits of results."""
    workers: int = quantity(8, unit="cores", ge=1, examples=[2])
    """Cores that a job may use for reading and decoding; does not change results."""


class AnnotationsSection(Annotations):
    """Which annotations are used, and which rows are removed."""

    source: SourceField = Field(examples=["world", {"at": "https://example.org/redcaps.zip", "sha256": "0" * 64}])
    """RedCaps annotation zip, your own captioned images, or world (the demo's data)."""
    exclude: list[str] = Field(default=[], examples=[["abc123"]])
    """Removal list of image ids and URLs; every trace of these rows is removed."""
    exclude_from: SourceField | None = Field(None, examples=["data/removed.txt"])
    """More removal lists: a text file or a folder of them; one id or URL per line, # starts a comment."""

    @field_validator("exclude")
    @classmethod
    def _entries(cls, entries: list[str]) -> list[str]:
        for entry in entries:
            token(entry)
        return entries

    @property
    def has_local_images(self) -> bool:
        """Whether the source may contain images, unlike RedCaps' zip."""
        return self.source.at != WORLD and not urlsplit(self.source.at).path.endswith(".zip")


class RecaptionSection(Recaption):
    """Captioning, and image-text matching (ITM) with BLIP-2."""

    captioner: SourceField = Field(examples=["hub:Salesforce/blip2-opt-2.7b@main", "models/captioner"])
    """Model that generates captions: any of transformers' AutoModelForImageTextToText, such as BLIP-2, BLIP, GIT or
    LLaVA."""
    matcher: SourceField = Field(examples=["hub:Salesforce/blip2-itm-vit-g@main", "models/matcher"])
    """BLIP-2 model that scores captions (ITM and ITC)."""


class Arm(SelectCaptions):
    """One caption per image: which one, and from where."""

    name: str = Name
    table: SourceField | None = Field(None, examples=["data/my_captions.parquet"])
    """external: a parquet, CSV or JSON file with key (or image) and caption (docs/your-own-data.md)."""

    @property
    def arms_read(self) -> dict[str, str]:
        """Setting -> name of another arm, for each that the arm reads."""
        named = {setting: getattr(self, setting) for setting in ARM_KINDS[self.kind].arms}
        return {setting: name for setting, name in named.items() if name is not None}

    @property
    def judge_read(self) -> str | None:
        """Name of the judge whose scores choose the arm's captions, if one does."""
        judge: str | None = getattr(self, "judge", None)
        return judge


class Judge(ScoreCaptions):
    """What scores the captions of all arms."""

    name: str = Name
    source: SourceField | None = Field(
        None, examples=["hub:openai/clip-vit-large-patch14@main", "data/pac_scores.parquet"]
    )
    """The model, or the table of scores (table); null: the matcher of recaption (blip2)."""
    encoder: str | None = Field(None, examples=["mpnet"])
    """Text encoder, for kinds that need one (agreement, ridge, text_label)."""
    photos: SourceField | None = Field(None, examples=["data/captioned_photos"])
    """ridge: a folder of photos with captions by people: the images, and captions.parquet with the columns file (path
    of an image in the folder) and captions (a list of texts)."""
    reference: str | None = Field(None, examples=["generated"])
    """agreement: the arm with whose captions those of other arms are compared."""


class JudgeComparisonSection(JudgeComparison):
    """How the choices of judges between an arm's captions and those of a reference are compared."""

    reference: str | None = Field(None, examples=["titles"])
    """Arm whose captions those of other arms may replace; null: the first arm of kind original."""


class CaptionQualitySection(CaptionQuality):
    """How the quality of captions is measured."""

    objects: SourceField | None = Field(None, examples=["data/instances_train2017.json"])
    """Objects in the images: a parquet or CSV file with the columns key and label, or COCO's instances (JSON), by which
    objects that captions mention wrongly are counted; null: only in the demo."""
    synonyms: SourceField | None = Field(None, examples=["data/synonyms.txt"])
    """Other names of objects: a text file with an object and its other names on each line, separated by commas
    (synonyms.txt of CHAIR); null: none."""


class CaptionLabelsSection(CaptionLabels):
    """How people's ratings are compared with the scores of the matcher (ITM and ITC) and of the judges."""

    source: SourceField = Field(examples=["data/labels"])
    """A folder with the CSV files of the raters and the keys of their sheets."""


class TextEncoder(EmbedCaptions):
    """A model that embeds captions."""

    name: str = Name
    source: SourceField | None = Field(None, examples=["hub:sentence-transformers/all-MiniLM-L6-v2@main"])
    """The model; null for kind run."""
    run: str | None = Field(None, examples=["clip-original-crop-resnet34-s0"])
    """Kind run: name of a run whose method learns from tokens."""


class ImageEncoder(EmbedImages):
    """A model that embeds images."""

    name: str = Name
    source: SourceField | None = Field(None, examples=["hub:facebook/dinov2-base@main"])
    """The model; null: the matcher of recaption, for kinds that can use it (blip2)."""
    run: str | None = Field(None, examples=["simclr-self-simclr-resnet34-s0"])
    """Kind run: name of the run, whose last checkpoint embeds."""


class TokenizerSection(Tokenizer, Tokens):
    """How captions become tokens, for methods that learn from them."""

    source: SourceField | None = Field(None, examples=["hub:openai/clip-vit-base-patch32@main"])
    """The model of a tokenizer that is not trained."""


class Pairs(PairTable):
    """A pair table: partners by the captions of an arm or, without an arm, by the images."""

    name: str = Name
    arm: str | None = Field(None, examples=["revised"])
    """Arm whose captions are compared; null: images are compared."""
    encoder: str = Field(examples=["minilm"])
    """Text encoder or, without an arm, image encoder."""

    @property
    def vectors(self) -> str:
        """``<stage>/<name>`` of the embeddings that the table is computed from."""
        return f"embed_captions/{self.arm}.{self.encoder}" if self.arm else f"embed_images/{self.encoder}"


class PairQualitySection(PairQuality):
    """How the quality of pairs is measured."""

    image_encoder: str | None = Field(None, examples=["blip2"])
    """Image encoder for the similarity of paired images; null: not measured."""


class LeakageSection(Leakage, VectorMatches):
    """Which test images count as copies of training images."""

    encoder: str | None = Field(None, examples=["clip"])
    """Image encoder whose vectors are compared too; null: none, so small crops and framed copies are found less often.
    """


class Network(ExternalNetwork):
    """A network that is not trained here, for runs of method external."""

    name: str = Name
    source: SourceField | None = Field(
        None, examples=["hub:timm/vit_small_patch16_224.augreg_in21k_ft_in1k@main", "models/lgsimclr.ckpt"]
    )
    """File or folder of the weights; null for random weights of a named architecture."""


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
    network: str | None = Field(None, examples=["clip-b16"])
    """Method external: name of one of networks; null for all other methods."""
    augmentation: Annotated[str, OneOf(AUGMENTATIONS)] = Field(
        "none", description=f"augmentation of each view. {listed(AUGMENTATIONS)}", examples=["crop"]
    )
    tag: str = Field("", pattern=TAG, max_length=64, examples=["short"])
    """Part of the run's name and a column of the tables, for runs that differ in `set` alone."""
    seeds: tuple[int, ...] = Field((0,), min_length=1, examples=[[0, 1, 2]])
    """Seeds; each is a run."""
    check_saliency: bool = Field(False, examples=[True])
    """true: the saliency maps of the run with the first seed are checked for sanity and faithfulness, at its last
    evaluated step."""
    set: dict[str, Any] = Field({}, examples=[{"backbone": "resnet50"}])
    """Settings of these runs that override the section pretraining."""
    sweep: dict[str, Annotated[list[Any], Field(min_length=1)]] | None = Field(
        None, min_length=1, examples=[{"steps": [50_000, 250_000], "lr": [5.0e-4, 1.0e-3]}]
    )
    """Settings to vary: lists of values, whose grid is run; each point is a run whose tag has its values
    (steps-4_lr-1e-3); a tag given here comes first."""


class Dataset(EvalDataset):
    """A downstream dataset. A plain text is its `name`; a public one (docs/runs.md) needs no `kind` or `source`."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema["required"].remove("kind"))

    name: str = Name
    evaluate: bool = Field(True, examples=[False])
    """false: no table reports it; it only chooses checkpoints (probe_dataset)."""
    source: SourceField | None = Field(None, examples=["torchvision:data/downstream/food101"])
    """Where the dataset is; none for kind world. If kind is left out too: data/downstream/<name>."""

    @property
    def public(self) -> DownstreamSet | None:
        """What is known of it, if it is a public one."""
        return known_set(self.kind, self.name, self.torchvision_name)


def _known_set(value: Any) -> Any:
    """A dataset that is given by the name of a public one, with its kind and its usual location."""
    if isinstance(value, str):
        if value not in SETS:
            raise PydanticKnownError("literal_error", {"expected": " or ".join(map(repr, SETS))})
        value = {"name": value}
    row = SETS.get(str(value.get("name"))) if isinstance(value, dict) and "kind" not in value else None
    if row is None:
        return value
    folder = f"data/downstream/{row.name}"
    if row.kind != "torchvision":
        return {"kind": row.kind, "source": folder, **value}
    source = folder if row.place else f"{TORCHVISION}{folder}"  # torchvision can download it
    return {"kind": row.kind, "torchvision_name": row.name, "source": source, **value}


DatasetField = Annotated[
    Dataset, BeforeValidator(_known_set, json_schema_input_type=Annotated[str, OneOf(SETS)] | Dataset)
]


def _with_stages(base: type[Scaling]) -> type[Scaling]:
    """The section with those of the stages whose settings are below it."""
    stages = sections_below("evaluation").items()
    fields: dict[str, Any] = {
        name: (settings, Field(settings(), description=f"settings of stage {name}")) for name, settings in stages
    }
    return create_model(base.__name__, __base__=base, __doc__=base.__doc__, **fields)


@_with_stages
class Evaluation(Scaling):
    """Which checkpoints are evaluated, and how."""

    if TYPE_CHECKING:
        discrimination: Discrimination = Discrimination()
    steps: tuple[Step, ...] = Field(("last",), min_length=1, examples=[[1000, "last"]])
    """Kept checkpoints to evaluate: steps (in runs with epochs: epochs), last, best by the online probe."""


class CrateSection(CrateContents):
    """The study as a Workflow Run RO-Crate."""

    in_all: bool = Field(False, examples=[True])
    """true: a run without a target writes the crate too."""


class Study(Settings):
    """The settings of a study, as config.yaml and its overlays give them."""

    study: str = Field(pattern=NAME, max_length=64, examples=["my-study"])
    """Name of the study; results go to results/<study>."""
    compute: Compute = Compute()
    """Device, threads and cores of jobs."""
    demo_world: DemoWorld | None = None
    """The demo's synthetic data; null: real data."""
    annotations: AnnotationsSection
    """Which annotations are used."""
    shards: ShardPlan
    """How rows are divided into shards."""
    download: Download = Download()
    """What is fetched, how fast, and how images are stored."""
    pack: Pack | None = Field(None, examples=[{"shorter_side": 320}])
    """Trainings read packs: the images of a shard in one file, scaled down, which is read and decoded faster. null:
    they read the shards."""
    recaption: RecaptionSection | None
    """Captioning and image-text matching (ITM) with BLIP-2; null: no captions are generated or scored."""
    arms: tuple[Arm, ...] = Field(min_length=1)
    """Captions that are compared; each arm has one per image."""
    judges: tuple[Judge, ...] = ()
    """What scores the captions of all arms."""
    judge_comparison: JudgeComparisonSection = JudgeComparisonSection()
    """How the choices of judges are compared."""
    caption_quality: CaptionQualitySection = CaptionQualitySection()
    """How the quality of captions is measured."""
    caption_labels: CaptionLabelsSection | None = None
    """People's ratings of captions (docs/labelling.md); null: there are none."""
    text_encoders: tuple[TextEncoder, ...] = ()
    """Models that embed captions."""
    image_encoders: tuple[ImageEncoder, ...] = ()
    """Models that embed images."""
    pairs: tuple[Pairs, ...] = ()
    """Pair tables: nearest neighbours by caption or by image."""
    pair_quality: PairQualitySection = PairQualitySection()
    """How the quality of pairs is measured."""
    tokenizer: TokenizerSection = TokenizerSection()
    """The tokenizer of all runs that learn from tokens, such as CLIP's."""
    pretraining: dict[str, Any] = {}
    """Settings that all runs share."""
    common_images: bool = Field(False, examples=[True])
    """true: all runs train on the images for which every run has a partner or a caption; partners may be others."""
    probe_dataset: str | None = Field(None, examples=["stl10"])
    """Dataset of the online probe; its validation images, never its test images, choose checkpoint best and where
    patience ends a run. null: it predicts subreddits, and neither of these can be used."""
    networks: tuple[Network, ...] = ()
    """Networks from elsewhere, for runs of method external."""
    runs: tuple[Run, ...] = Field(min_length=1)
    """Networks that are pretrained and evaluated."""
    datasets: tuple[DatasetField, ...] = Field((), examples=[["food101", "cifar10"]])
    """Downstream datasets; a public one by its name."""
    evaluation: Evaluation = Evaluation()
    """Which checkpoints are evaluated, and how."""
    leakage: LeakageSection = LeakageSection()
    """Which test images count as copies of training images."""
    contrasts: tuple[Contrast, ...] = Field(
        (), examples=[[{"name": "revised - shuffled", "minuend": "revised", "subtrahend": "shuffled"}]]
    )
    """Contrasts besides the standard ones, which they replace if they have their name or runs."""
    smallest_effect: float | None = quantity(None, unit="percentage points", gt=0, examples=[1.0])
    """Smallest effect that matters: a warning before a run names the primary contrasts of three or more seeds that find
    it in fewer than 80 % of studies if seeds deviate as `faithful-pairs power` assumes; does not change results."""
    standard_contrasts: bool = StandardContrasts
    bootstrap: int = Resamples
    crate: CrateSection = CrateSection()
    """The study as a Workflow Run RO-Crate."""

    @property
    def replaced_arm(self) -> str | None:
        """The arm between whose captions and those of other arms judges choose, if there is one."""
        original = next((arm.name for arm in self.arms if arm.kind == "original"), None)
        return self.judge_comparison.reference or original

    def encoders(self) -> Iterator[tuple[str, int, Any]]:
        """Section, position in it, and encoder, for all encoders."""
        for section in ("text_encoders", "image_encoders"):
            yield from ((section, number, encoder) for number, encoder in enumerate(getattr(self, section)))

    def arms_before(self, arm: Arm) -> list[tuple[str, str]]:
        """(setting, name of another arm) for each arm that must be computed before this one.

        The scores of a judge that compares captions with those of a reference arm are made after that arm.
        """
        judge = next((judge for judge in self.judges if judge.name == arm.judge_read), None)
        reference = [("judge", judge.reference)] if judge is not None and judge.reference is not None else []
        return [*arm.arms_read.items(), *reference]

    def chosen_by_judges(self) -> set[str]:
        """Arms whose captions depend on the scores of judges."""
        chosen = {arm.name for arm in self.arms if arm.judge_read is not None}
        before = {arm.name: {name for _, name in self.arms_before(arm)} for arm in self.arms}
        while more := {name for name, others in before.items() if others & chosen} - chosen:
            chosen |= more
        return chosen
