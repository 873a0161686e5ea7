import pytest

from tests.study.config.configs import planned
from workflow_scripts.reporting.sections.contents import interval_note


@pytest.mark.parametrize(
    ("levels", "text"),
    [
        ({}, "All intervals are 95 % intervals."),
        ({"knn": 0.95, "few_shot": 0.95}, "All intervals are 95 % intervals."),
        (
            {"knn": 0.95, "linear_probe": 0.99, "few_shot": 0.999},
            "Intervals are 95 % intervals, except those of linear probe (99 %), few shot (99.9 %).",
        ),
    ],
)
def test_the_page_states_the_levels_of_its_intervals(levels: dict[str, float], text: str) -> None:
    assert interval_note(levels) == text


def test_interval_levels_are_those_of_the_config() -> None:
    study = planned(change={"evaluation": {"saliency": {"level": 0.9}}})
    levels = study.settings("report", {})["levels"]
    assert levels["saliency"] == 0.9 and levels["knn"] == 0.95
    assert {"few_shot", "linear_probe", "saliency_checks", "discrimination"} < levels.keys()
