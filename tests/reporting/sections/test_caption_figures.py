"""Figures of captions as the page shows them."""

from pathlib import Path

import pytest

from tests.reporting.fake_study import ARMS, make_study
from workflow_scripts.captions.comparison.figures import FIGURES
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.sections.caption_figures import Explained, caption_figures
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Study

EXPLAINED = {name: Explained(one.group, one.title, one.unit, one.better, one.summary) for name, one in FIGURES.items()}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    given = {name: [Artifact(path) for path in paths] for name, paths in make_study(tmp_path).items()}
    return Study(given, Report(study="fake", captions_of={}, headline_step="last"))


def test_grouped_in_the_order_of_the_registry(study: Study) -> None:
    found = caption_figures(study, EXPLAINED)
    assert [(group, [row["title"] for row in rows]) for group, rows in found["groups"]] == [
        ("Length", ["words per caption"]),
        ("Wording", ["vague captions"]),
        ("Variety", ["different captions among 250 (minilm)"]),
    ]
    assert [arm for arm, _ in found["arms"]] == list(ARMS)


def test_values_and_differences(study: Study) -> None:
    (_, (words,)), (_, (vague,)), (_, (vendi,)) = caption_figures(study, EXPLAINED)["groups"]
    assert [(own.text, own.interval) for own, _ in words["cells"]] == [("0.250", "[0.200, 0.300]")] * 4
    own, difference = vague["cells"][1]
    assert (own.text, own.interval) == ("25.0", "[20.0, 30.0]")
    assert difference is not None and (difference.text, difference.interval) == ("−12.5", "[−20.0, −5.0]")
    assert own.source is not None and own.source.file == "caption_comparison/arms.json"
    assert own.rows == "figures.vague.generated, n = 40"
    assert vague["cells"][0][1] is None and vague["unit"] == "%" and vague["says"].endswith("Lower is better.")
    assert [own.text for own, _ in vendi["cells"]] == ["—", "—", "0.250", "9.500"]
    assert vendi["cells"][3][0].interval == ""


def test_no_comparison(study: Study) -> None:
    study.given = {**study.given, "caption_comparison": []}
    assert caption_figures(study, EXPLAINED) == {"groups": []}
