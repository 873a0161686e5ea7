"""Settings of ``recaption``."""

from pydantic import Field

from workflow_scripts.core.settings import Settings


class Recaption(Settings):
    """How captions are generated and scored."""

    batch_size: int = Field(32, ge=1, description="images per batch; batches are cut from the shard's row order")
    prompt: str = Field("", description="text the caption goes on from, e.g. 'a photo of'; not part of the caption")
    max_new_tokens: int = Field(30, ge=1, description="longest generated caption, in tokens of the language model")
    num_captions: int = Field(1, ge=1, le=100, description="captions per image: 1 greedy, more by nucleus sampling")
    temperature: float = Field(1.0, gt=0, description="softmax temperature of sampling (num_captions > 1)")
    top_p: float = Field(0.9, gt=0, le=1, description="probability mass that sampling draws from (num_captions > 1)")
    max_text_tokens: int = Field(32, ge=3, description="caption length that is scored, in tokens; BLIP-2: 32")
    seed: int = Field(0, description="seed of sampling; a caption depends on it and on the image's key")
