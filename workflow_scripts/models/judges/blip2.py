"""BLIP-2's matching (ITM) and contrastive (ITC) scores (Li et al. 2023, arXiv 2301.12597, section 3.2)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.models.judge import Judge
from workflow_scripts.models.text_norms import MatchedText

if TYPE_CHECKING:
    from workflow_scripts.models.matcher import Matcher


def load(sources: Mapping[str, Path], device: str, settings: MatchedText) -> "Matcher":
    """The matcher, which reads images and captions as ``recaption`` does.

    Raises:
        PipelineError: no such model.
    """
    from workflow_scripts.models.matcher import load_matcher

    return load_matcher(sources["model"], device, settings.max_text_tokens, settings.text_norm)


JUDGE = Judge(
    name="blip2",
    summary="matching (ITM, a logit difference) and contrastive score (ITC, a cosine) of BLIP-2",
    settings=MatchedText,
    needs=("model",),
    own_model=False,
    scores=("itm", "itc"),
    load=load,
)
