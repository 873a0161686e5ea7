"""The judge of docs/extending.md; run in a copy that has it."""

from pathlib import Path

import torch
from PIL import Image

from tests.extending.configs import refusal, study_with
from workflow_scripts.models.judges import JUDGES
from workflow_scripts.study.reference.schema import config_schema


def test_it_scores_captions(checkpoints: dict[str, Path], pictures: list[Image.Image]) -> None:
    ours, whole = (JUDGES[name].load(checkpoints["matcher"], "cpu", 32, "blip") for name in ("blip2_itc", "blip2"))
    texts = ["a red cat", "my dog on grass"]
    matching, contrastive = ours.scores(ours.prepare(pictures[:2]), texts)
    expected = whole.scores(whole.prepare(pictures[:2]), texts)[1]
    assert torch.equal(matching, expected) and torch.equal(contrastive, expected)
    assert ours.token_counts(texts) == [5, 6]


def test_configs_and_schema_know_it() -> None:
    assert study_with({"recaption": {"judge": "blip2_itc"}}).settings("recaption", {})["judge"] == "blip2_itc"
    wrong = refusal({"recaption": {"judge": "blip2_itx"}})
    assert "did you mean blip2_itc? Choose from blip2, blip2_itc" in wrong
    assert "blip2_itc" in str(config_schema())
