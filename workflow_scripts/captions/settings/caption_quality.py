"""Settings of ``caption_quality``."""

from pydantic import Field

from workflow_scripts.core.settings import Settings


class CaptionQuality(Settings):
    """How captions are judged."""

    mattr_window: int = Field(500, ge=2, description="words per window of the moving-average type-token ratio")
    short_words: int = Field(4, ge=1, description="captions with fewer words are flagged: their language is a guess")
    retrieval_sample: int = Field(1000, ge=2, description="images among which each caption must find its own")
    batch_size: int = Field(32, ge=1, description="images and captions per forward pass")
    max_text_tokens: int = Field(32, ge=3, description="caption length that is scored, in tokens; BLIP-2: 32")
    seed: int = Field(0, description="seed of the retrieval sample")
