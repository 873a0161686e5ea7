"""The sections of a config about encoders and the tokenizer: settings of their stages, with sources and runs."""

from pydantic import Field

from workflow_scripts.stages.embed_captions import EmbedCaptions
from workflow_scripts.stages.embed_images import EmbedImages
from workflow_scripts.stages.source import SourceField
from workflow_scripts.stages.tokenizer import Tokenizer
from workflow_scripts.stages.tokens import Tokens
from workflow_scripts.study.config.sections import Name, Step


class TextEncoder(EmbedCaptions):
    """A model that embeds captions."""

    name: str = Name
    source: SourceField | None = Field(
        None,
        description="the model; null for kind run",
        examples=["hub:sentence-transformers/all-MiniLM-L6-v2@main"],
    )
    run: str | None = Field(
        None,
        description="kind run: name of a run whose method learns from tokens",
        examples=["clip-original-crop-resnet34-s0"],
    )


class ImageEncoder(EmbedImages):
    """A model that embeds images."""

    name: str = Name
    source: SourceField | None = Field(
        None,
        description="the model; null: the matcher of recaption, for kinds that can use it (blip2)",
        examples=["hub:facebook/dinov2-base@main"],
    )
    run: str | None = Field(None, description="kind run: name of the run", examples=["simclr-self-simclr-resnet34-s0"])
    checkpoint: Step = Field(
        "last",
        description="kind run: which kept checkpoint: a step (in a run with epochs: an epoch), last or best",
        examples=["best"],
    )


class TokenizerSection(Tokenizer, Tokens):
    """How captions become tokens, for methods that learn from them."""

    source: SourceField | None = Field(
        None,
        description="the model of a tokenizer that is not trained",
        examples=["hub:openai/clip-vit-base-patch32@main"],
    )
