"""The text for terminals."""

from typing import Any

import pytest
from scipy import stats

from tests.reporting.sections.test_contrasts import contrast
from tests.reporting.sections.test_headline import row as score
from workflow_scripts.reporting.sections.console import aligned, sentences, tables, wrapped
from workflow_scripts.reporting.sections.contrasts import NOT_EVALUATED
from workflow_scripts.reporting.settings import Methods, Report
from workflow_scripts.reporting.terms import SYNTHETIC

VALUES = (0.61, 0.64, 0.60)
SUMMARY = [score(f"r{seed}", "a", value, seed=seed, pairs="revised") for seed, value in enumerate(VALUES)]
SUMMARY.append(score("u", "a", 0.2, method="untrained", pairs="none", augmentation="none"))
SETTINGS = Report(study="s")


def test_the_terminal_shows_means_with_half_intervals_and_primary_contrasts() -> None:
    rows = [contrast(), contrast(contrast="other", primary="")]
    text = tables(SUMMARY, rows, SETTINGS)
    low, high = stats.t.interval(0.95, 2, 0.61667, stats.sem(VALUES))
    told = "What was trained: mean over test sets, in %, with 95 % interval over seeds; linear probe: objective sklearn"
    assert " ".join(text[:2]) == told and max(map(len, text)) <= 80
    shown = {line.split("  ")[0]: line.split() for line in text}
    assert shown["revised captions"][2:5] == ["3", "61.7", f"±{50 * (high - low):.1f}"]
    assert shown["untrained network"][2:4] == ["1", "20.0"]
    line = next(line for line in text if line.startswith("revised − original"))
    assert line.split()[-5:] == ["+5.0", "[+1.0,", "+9.0]", "0.020", "supported"]
    assert not any("other" in line for line in text)


def test_the_terminal_names_the_set_that_chose_a_checkpoint() -> None:
    summary = [score("r", "b", 0.6, step="best", chosen_on="a")]
    text = " ".join(tables(summary, [contrast()], Report(study="s", headline_step="best")))
    assert "Checkpoints chosen on a: best. There, means over sets leave it out" in text


def test_the_terminal_says_if_nothing_was_evaluated() -> None:
    assert tables([], [], SETTINGS) == ["No run was evaluated."]
    assert sentences([], [], SETTINGS, {}) == [NOT_EVALUATED]


@pytest.mark.parametrize("name", ["revised captions", "captions “" + 60 * "x" + "”"])
def test_numbers_fit_eighty_columns_whatever_the_names(name: str) -> None:
    heads: list[Any] = ["trained on", "seeds", "probe", "Few-shot", "kNN", "Saliency"]
    lines = aligned([heads, [name, "3", *["61.7 ±12.3"] * 4]])
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith(name) == (len(name) < 40) and lines[-1].endswith("61.7 ±12.3")


def test_the_answer_comes_last_and_after_the_words_that_the_effect_is_built_in() -> None:
    row = contrast(plus="r0.last", minus="r1.last")
    synthetic = sentences(SUMMARY, [row], Report(study="s", methods=Methods(synthetic=True)), {})
    assert synthetic == [f"{SYNTHETIC}.", *sentences(SUMMARY, [row], SETTINGS, {})] and len(synthetic[0]) <= 80


def test_answers_wrap_at_eighty_columns() -> None:
    lines = [
        line
        for said in sentences(SUMMARY, [contrast(plus="r0.last", minus="r1.last")], SETTINGS, {})
        for line in wrapped(said)
    ]
    assert len(lines) > 1 and max(map(len, lines)) <= 80
    assert " ".join(lines).endswith(": supported.")
