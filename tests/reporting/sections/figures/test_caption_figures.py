"""Figures of captions as the page shows them."""

import json
from pathlib import Path

import pytest

from tests.helpers import make_artifact
from tests.reporting.fake_data import ARMS
from tests.reporting.fake_files import js
from tests.reporting.fake_scores import judge_quality
from tests.reporting.fake_study import make_study
from workflow_scripts.captions.comparison.figures import FIGURES
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.sections.figures.caption_figures import Figure, _row, caption_figures
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Source, Study

EXPLAINED = {name: vars(figure) for name, figure in FIGURES.items()}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Artifact]]:
    inputs = make_study(tmp_path_factory.mktemp("study"))
    return {name: [Artifact(path) for path in paths] for name, paths in inputs.items()}


@pytest.fixture
def study(given: dict[str, list[Artifact]]) -> Study:
    return Study(dict(given), Report(study="fake", captions_of={}, headline_step="last"))


def test_grouped_in_the_order_of_the_registry(study: Study) -> None:
    found = caption_figures(study, EXPLAINED)
    assert [(group, [row["title"] for row in rows]) for group, rows, _ in found["groups"]] == [
        ("Length", ["words per caption"]),
        ("Wording", ["vague captions"]),
        ("Variety", ["effective number of captions (Vendi score) (minilm)"]),
        (
            "Fit to the image",
            [
                "score by a judge (clip cosine)",
                "centred score by a judge (clip cosine)",
                "own image above a random one, by a judge (clip cosine)",
            ],
        ),
    ]
    assert [arm for arm, _ in found["arms"]] == list(ARMS)


def test_caption_figures_show_values_and_differences(study: Study) -> None:
    (_, (words,), _), (_, (vague,), _), (_, (vendi,), _), _ = caption_figures(study, EXPLAINED)["groups"]
    assert [(own.text, own.interval) for own, _ in words["cells"]] == [("0.250", "[0.200, 0.300]")] * 4
    own, difference = vague["cells"][1]
    assert (own.text, own.interval) == ("25.0", "[20.0, 30.0]")
    assert difference is not None and (difference.text, difference.interval) == ("−12.5", "[−20.0, −5.0]")
    assert own.source is not None and own.source.file == "caption_comparison/arms.json"
    assert own.rows == "figures.vague.generated, n = 40"
    assert vague["cells"][0][1] is None and vague["unit"] == "%" and vague["says"].endswith("Lower is better.")
    assert [own.text for own, _ in vendi["cells"]] == ["—", "—", "0.250", "9.500"]
    assert vendi["cells"][3][0].interval == ""


def test_intervals_of_shares_end_at_0_and_100_per_cent() -> None:
    row = {"value": 0.92, "low": 0.737, "high": 1.106, "n": 2}
    figure = Figure("distinct_3", {"a": row}, "{}", Source("f", "d", "a-1"))
    found = _row(figure, EXPLAINED["distinct_3"], ["a"], set())
    assert found["cells"][0][0].interval == "[73.7, 100.0]" and found["panel"].dots[0].high == 100


def test_caption_figures_show_judge_scores(study: Study) -> None:
    *_, (_, (score, _, above), _) = caption_figures(study, EXPLAINED)["groups"]
    (own, difference), (base, none) = score["cells"][3], score["cells"][0]
    assert (own.text, own.interval, base.text, none) == ("0.500", "[0.400, 0.600]", "0.500", None)
    assert difference is not None and (difference.text, difference.interval) == ("+0.500", "[+0.400, +0.600]")
    assert own.source is not None and own.source.file == "judge_quality/clip.json"
    assert own.rows == "shuffled.cosine.mean, n = 40"
    assert (above["unit"], above["cells"][3][0].text) == ("% of images", "50.0")


def test_not_scored_is_shown_only_for_arms_without_judge_scores(study: Study, tmp_path: Path) -> None:
    comparison = Artifact(make_study(tmp_path / "other")["caption_comparison"][0])
    found = json.loads(comparison.path(".json").read_bytes())
    found["figures"]["itm"] = {"original": found["figures"]["words"]["original"]}
    own = make_artifact(tmp_path / "other", "caption_comparison", "arms", {".json": js(found)})
    judged = judge_quality(tmp_path / "other", ["original", "shuffled"])
    study.given = {**study.given, "caption_comparison": [Artifact(own)], "judge_quality": [Artifact(judged)]}
    *_, (_, (itm, *_), _) = caption_figures(study, EXPLAINED)["groups"]
    assert [cell.text for cell, _ in itm["cells"]] == ["0.250", "not scored", "not scored", "—"]


def test_without_a_comparison_no_caption_figures_are_shown(study: Study) -> None:
    study.given = {**study.given, "caption_comparison": []}
    assert caption_figures(study, EXPLAINED) == {"groups": []}


def test_the_files_have_words_and_the_numbers_of_the_page(study: Study) -> None:
    found = caption_figures(study, EXPLAINED)
    figures = [figure for _, _, figure in found["groups"]]
    assert [figure.name for figure in figures] == [
        "captions-length", "captions-wording", "captions-variety", "captions-fit-to-the-image"
    ]  # fmt: skip
    assert figures[1].rows[1] == ("vague captions", "%", "lower", "generated", 25.0, 20.0, 30.0)
    _, _, vague, difference, *_ = found["table"].rows
    assert vague[:3] == ["vague captions, %", "25.0 [20.0, 30.0]", "25.0 [20.0, 30.0]"]
    assert difference[:3] == ["minus original", "", "−12.5 [−20.0, −5.0]"]
