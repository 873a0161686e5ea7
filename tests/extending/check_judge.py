"""The judge of docs/extending.md; run in a copy that has it."""

from pathlib import Path

import torch
from PIL import Image

from tests.extending.configs import refusal, study_with
from workflow_scripts.models.matcher import load_matcher
from workflow_scripts.stages.score_captions import JUDGES
from workflow_scripts.study.reference.schema import config_schema


def test_the_example_judge_scores_captions(checkpoints: dict[str, Path], pictures: list[Image.Image]) -> None:
    kind, texts = JUDGES["mean_query"], ["a red cat", "my dog on grass"]
    ours = kind.load({"model": checkpoints["matcher"]}, "cpu", kind.settings())
    (found,) = ours.scores(ours.prepare(ours.load(pictures[:2])), ours.read(texts))
    matcher = load_matcher(checkpoints["matcher"], "cpu", 32)
    images = matcher.image_vectors(matcher.image_states(pictures[:2])).mean(dim=1)
    expected = torch.cosine_similarity(images, matcher.text_vectors(texts))
    torch.testing.assert_close(found, expected)


def test_configs_and_schema_include_the_new_entry() -> None:
    units = study_with({"judges": [{"name": "mine", "kind": "mean_query"}]})
    assert units.settings("score_captions", {"judge": "mine"})["kind"] == "mean_query"
    assert len(units.names("score_captions") or []) == 4 * 54
    wrong = refusal({"judges": [{"name": "mine", "kind": "mean_qery"}]})
    names = "agreement, blip2, blip2_itc, clip, mean_query, ridge, siglip, table, text_label"
    assert f"did you mean mean_query? Choose from {names}" in wrong
    assert "mean_query" in str(config_schema())
