from tests.reporting.test_answers import ROLES, SUMMARY
from workflow_scripts.reporting.answers import captions_of, setting
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.terms import Words

WORDS = Words(Report.model_validate({"study": "s", "roles": ROLES}))


def test_the_question_says_first_what_networks_learn_from_and_how_they_are_measured() -> None:
    assert setting(SUMMARY, WORDS) == (
        "Networks learn without labels from pairs of images with similar captions; a linear classifier on their "
        "frozen features (linear probe) measures how well they tell classes apart. "
    )
    few_shot = [{**row, "metric": "few_shot"} for row in SUMMARY]
    assert setting(few_shot, WORDS) == "Networks learn without labels from pairs of images with similar captions. "


def test_a_study_without_pairs_by_captions_says_nothing_of_them() -> None:
    assert setting([{**row, "pairs": "self"} for row in SUMMARY], WORDS) == ""


def test_captions_in_the_question_are_explained() -> None:
    assert captions_of("revised captions beat the original ones in the linear probe") == (
        "Original captions came with the images; a revised one is the original or a generated one, whichever scores "
        "higher against the image."
    )
    assert captions_of("captions “mine” beat self pairs") == ""
