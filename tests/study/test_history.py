from workflow_scripts.study.freshness import other_settings
from workflow_scripts.study.history import rewritten

RUN = {"run": "a", "method": "m", "pairs": "p", "augmentation": "crop", "seed": 3, "steps": ["last"], "backbone": "b"}
SUMMARY = {"runs": [RUN], "contrasts": [], "bootstrap": 2000}


def test_settings_of_a_summary_that_became_constants_make_no_difference() -> None:
    older = {**SUMMARY, "level": 0.95, "seed": 0}
    assert rewritten("summary", older) == SUMMARY
    assert other_settings({"settings": older}, "summary", SUMMARY) == []
    assert other_settings({"settings": older}, "summary", {**SUMMARY, "bootstrap": 500}) == [
        "bootstrap 2000 then, 500 today"
    ]
    assert rewritten("linear_probe", older) == older
