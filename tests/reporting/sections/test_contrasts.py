"""What is shown and said of contrasts."""

import pyarrow as pa
from scipy import stats

from tests.reporting.fake_study import contrast_rows
from tests.reporting.sections.test_headline import row as score
from workflow_scripts.reporting.console import arms_table
from workflow_scripts.reporting.sections.contrasts import Row, named, sentence, tally

PROBE = "linear_probe.sklearn.accuracy"


def contrast(**more: object) -> Row:
    """A joint row."""
    head = {"contrast": "revised - original", "method": "simclr", "augmentation": "crop", "dataset": "mean", "tag": ""}
    numbers = {"difference": 0.05, "low": 0.01, "high": 0.09, "n": 3, "p": 0.01, "p_adjusted": 0.02, "detectable": 0.04}
    rest = {"metric": PROBE, "level": "joint", "step": "last", "backbone": "x", "expected": 1, "plus": "", "minus": ""}
    return {**head, **numbers, **rest, "verdict": "supported", "reason": "", **more}


def test_shown_are_joint_rows_at_the_step_over_sets_or_of_the_only_set() -> None:
    found = named(contrast_rows(), "best")
    assert {one.row["step"] for contrast in found for one in contrast.shown} == {"best"}
    for one in found[0].shown:
        assert one.row["level"] == "joint"
        assert one.row["dataset"] == ("masks" if one.measure.title.startswith("Saliency") else "mean")
    assert [one.measure.primary for one in found[0].shown] == [True, False, False]


def test_contrasts_between_steps_are_always_shown() -> None:
    (only,) = named([contrast(step="last vs best"), contrast(step="best", contrast="b")], "last")
    assert only.name == "revised - original"


def test_the_sentence_gives_verdict_reason_and_numbers() -> None:
    both = [contrast(), contrast(metric="linear_probe.lgssl.accuracy", difference=0.04)]
    (one,) = named(both, "last")
    assert sentence(one) == (
        "Linear probe: supported for simclr, crop "
        "(sklearn +5.0 points [+1.0 to +9.0]; lgssl +4.0 points [+1.0 to +9.0])."
    )
    weak = {"verdict": "inconclusive", "reason": "the difference may be chance", "low": -0.02}
    (one,) = named([contrast(**weak)], "last")
    assert "(the difference may be chance; sklearn +5.0 points [−2.0 to +9.0], detectable 4.0)" in sentence(one)


def test_each_method_is_told_apart() -> None:
    (one,) = named([contrast(), contrast(method="simsiam", verdict="contradicted", tag="long")], "last")
    assert "supported for simclr, crop (" in sentence(one) and "contradicted for simsiam, crop, long (" in sentence(one)


def test_without_the_primary_endpoint_nothing_is_concluded() -> None:
    (one,) = named([contrast(metric="few_shot.accuracy")], "last")
    assert "was not measured" in sentence(one)
    assert "no named contrast" in tally([one])


def test_the_claim_counts_comparisons_not_objectives() -> None:
    rows = [
        *(contrast(metric=f"linear_probe.{one}.accuracy") for one in ("sklearn", "lgssl")),
        contrast(method="simsiam", verdict="inconclusive", reason="the objectives disagree"),
        contrast(contrast="x", verdict="not comparable", reason="different budget"),
    ]
    text = tally(named(rows, "last"))
    assert "3 comparisons in 2 named contrasts: 1 supported, 1 inconclusive, 1 not comparable." in text
    assert "the objectives disagree (1)" in text and "different budget (1)" in text


def test_the_terminal_shows_the_same_numbers() -> None:
    summary = [score(f"r{seed}", "a", value, seed=seed) for seed, value in enumerate((0.61, 0.64, 0.60))]
    text = arms_table(pa.Table.from_pylist(summary), pa.Table.from_pylist([contrast()]))
    low, high = stats.t.interval(0.95, 2, 0.61667, stats.sem([0.61, 0.64, 0.60]))
    assert f"61.7 [{100 * low:.1f}, {100 * high:.1f}]s" in text
    line = next(line for line in text.splitlines() if line.startswith("revised − original"))
    assert "+5.0 [+1.0 to +9.0]" in line and "0.020" in line and line.endswith("supported")


def test_the_terminal_says_when_there_is_nothing() -> None:
    empty = pa.Table.from_pylist([score("r", "a", 0.5)]).slice(0, 0)
    text = arms_table(empty, pa.Table.from_pylist([contrast()]).slice(0, 0))
    assert "no arm was evaluated" in text and "no runs form a named contrast" in text
