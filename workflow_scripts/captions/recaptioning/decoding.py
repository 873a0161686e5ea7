"""Settings of how captions are decoded."""

from typing import Self

from pydantic import Field, model_validator

from workflow_scripts.core.settings import Settings, quantity, refuse_changed


class Decoding(Settings):
    """Beam search if there are several beams; else greedy decoding of one caption, or nucleus sampling of several."""

    prompt: str = Field("", examples=["a photo of", "Describe the image in one sentence."])
    """Text that the caption continues, not part of it; of chat models, the question; of others that mark the image's
    place, the whole prompt with that mark."""
    max_new_tokens: int = quantity(30, unit="tokens", ge=1, examples=[20])
    """Maximum length of a generated caption, in tokens of the language model."""
    min_new_tokens: int = quantity(0, unit="tokens", ge=0, examples=[8])
    """Minimum length of a generated caption."""
    beams: int = quantity(1, unit="beams", ge=1, examples=[5])
    """Beams of the beam search; 1: none. BLIP-2 is usually evaluated with 5."""
    length_penalty: float = Field(1.0, examples=[-1.0])
    """Beam search: a beam's log-likelihood is divided by its length to this power; above 0, longer captions gain."""
    repetition_penalty: float = Field(1.0, gt=0, examples=[1.5])
    """Above 1: tokens that have occurred, in the prompt too, become less likely."""
    num_captions: int = quantity(1, unit="captions", ge=1, le=100, examples=[5])
    """Captions per image. With several beams, the best of them; otherwise 1: greedy decoding; more: nucleus sampling.
    All are kept with their scores; an arm uses the one with the best ITM."""
    temperature: float = Field(1.0, gt=0, examples=[0.7])
    """Softmax temperature of nucleus sampling."""
    top_p: float = Field(0.9, gt=0, le=1, examples=[0.95])
    """Probability mass of nucleus sampling."""
    seed: int = Field(0, examples=[1])
    """Seed of sampling; a caption depends on it and on the key of the image."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(f"min_new_tokens {self.min_new_tokens} is above max_new_tokens {self.max_new_tokens}")
        if 1 < self.beams < self.num_captions:
            raise ValueError(f"num_captions is {self.num_captions}, but {self.beams} beams give {self.beams} captions")
        if self.beams == 1:
            refuse_changed(self, ("length_penalty",), "on one beam; set beams to 5, for example")
        if self.beams > 1 or self.num_captions == 1:
            advice = "set beams to 1 and num_captions to 5, for example"
            refuse_changed(self, ("temperature", "top_p", "seed"), f"without sampling; {advice}")
        return self
