"""The stage ``caption_comparison`` on what ``caption_quality`` writes."""

import json

from tests.helpers import run
from tests.stages.captioned import Captioned
from workflow_scripts.captions.comparison.figures import FIGURES
from workflow_scripts.stages import caption_comparison, caption_quality


def test_two_arms_are_compared_in_every_figure(given: Captioned) -> None:
    arms = [given.arm("original"), given.arm("generated")]
    sources = {"matcher": given.checkpoints["matcher"]}
    inputs = {"images": given.index, "table": given.table}
    quality = [
        run(
            caption_quality.STAGE,
            given.results,
            f"caption_quality/{arm.name}",
            {},
            {**inputs, "captions": arm.manifest_path},
            {"arm": arm.name},
            sources,
        )
        for arm in arms
    ]
    captions = [arm.manifest_path for arm in arms]
    inputs = {"quality": [one.manifest_path for one in quality], "captions": captions}
    made = run(caption_comparison.STAGE, given.results, "caption_comparison/arms", {"reference": "original"}, inputs)
    found = json.loads(made.path(".json").read_bytes())
    assert (found["reference"], found["arms"]) == ("original", ["original", "generated"])
    of_vectors = {"vendi", "near_vectors", "encoder_truncated"}  # none are given
    of_judges = {"judge_score", "judge_score_centred", "judge_above_random"}  # in judge_quality
    assert set(found["figures"]) == set(FIGURES) - of_vectors - of_judges
    assert found["figures"]["repeated"]["original"]["value"] == 2 / 8  # the ninth image has no caption
    assert found["figures"]["above_subreddit"]["generated"]["n"] == 9
    assert found["figures"]["words"]["generated"]["difference"]["n"] == 8
    assert found["figures"]["distinct_2"] == {}  # too few images for a block
