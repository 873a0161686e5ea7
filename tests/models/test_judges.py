"""Judges: every entry is complete and scores captions of small images."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.judges import JUDGES
from workflow_scripts.models.matcher import itc, load_matcher


@pytest.mark.parametrize("name", JUDGES)
def test_an_entry_is_complete_and_works(
    name: str, tmp_path: Path, checkpoints: dict[str, Path], pictures: list[Image.Image]
) -> None:
    judge = JUDGES[name]
    assert judge.summary
    scorer = judge.load({"blip2": checkpoints["matcher"]}[name], "cpu", 32, "blip")
    texts = [f"a picture {i}" for i in range(len(pictures))]
    for scores in scorer.scores(scorer.prepare(pictures), texts):
        assert scores.shape == (len(texts),) and scores.dtype == torch.float32 and scores.isfinite().all()
    assert all(count > 0 for count in scorer.token_counts(texts))
    with pytest.raises(PipelineError):
        judge.load(tmp_path, "cpu", 32, "blip")


def test_blip2_gives_matching_then_contrastive_scores(
    checkpoints: dict[str, Path], pictures: list[Image.Image]
) -> None:
    matcher = load_matcher(checkpoints["matcher"], "cpu", 32)
    texts, states = ["a cat"] * len(pictures), matcher.image_states(pictures)
    itm, contrastive = matcher.scores(matcher.prepare(pictures), texts)
    assert torch.equal(itm, matcher.itm(states, texts))
    assert torch.equal(contrastive, itc(matcher.image_vectors(states), matcher.text_vectors(texts)))
