"""What is shown and said of contrasts."""

import pyarrow as pa
import pytest
from scipy import stats
from workflow_scripts.reporting.sections.contrast_blocks import Cited, Scores, blocks

from tests.reporting.fake_study import contrast_rows
from tests.reporting.sections.test_headline import row as score
from workflow_scripts.reporting.sections.console import arms_table
from workflow_scripts.reporting.sections.contrasts import Row, named, sentence, tally
from workflow_scripts.reporting.sections.runs import common_classes
from workflow_scripts.reporting.study import Source

PROBE = "linear_probe.sklearn.accuracy"


def contrast(**more: object) -> Row:
    """A joint row."""
    head = {"contrast": "revised - original", "method": "simclr", "augmentation": "crop", "dataset": "mean", "tag": ""}
    numbers = {"difference": 0.05, "low": 0.01, "high": 0.09, "n": 3, "p": 0.01, "p_adjusted": 0.02, "detectable": 0.04}
    rest = {"metric": PROBE, "level": "joint", "step": "last", "backbone": "x", "expected": 1, "plus": "", "minus": ""}
    rest |= {"chosen_on": "", "primary": "declared", "arms": 0}
    return {**head, **numbers, **rest, "verdict": "supported", "reason": "", **more}


def test_shown_are_joint_rows_at_the_step_over_sets_or_of_the_only_set() -> None:
    found = named(contrast_rows(), "best")
    every = [one for contrast in found for one in contrast.shown]
    assert {one.row["step"] for one in every if not one.row["primary"]} == {"best"}
    for one in every:
        assert one.row["level"] == "joint"
        assert one.row["dataset"] == ("masks" if one.measure.title.startswith("Saliency") else "mean")
    (known,) = [one for one in found if one.name == "revised - original"]
    assert [one.measure.probe for one in known.shown if one.row["step"] == "best"] == [True, False, False] * 2


def test_contrasts_between_steps_are_always_shown() -> None:
    others = [contrast(step=step, contrast="b", primary="") for step in ("best", "step-000200")]
    (only,) = named([contrast(step="last vs best"), *others], "last")
    assert only.name == "revised - original"


def test_a_contrast_at_a_single_other_step_is_shown_with_that_step() -> None:
    (one,) = named([contrast(step="best", primary="")], "last")
    assert [shown.where for shown in one.shown] == ["simclr, crop, step best"]


def test_what_has_a_verdict_is_shown_at_its_own_step_too() -> None:
    (one,) = named([contrast(step="best"), contrast(primary=""), contrast(step="step-000200", primary="")], "last")
    assert [shown.where for shown in one.shown] == ["simclr, crop, step best", "simclr, crop"]


def test_the_tally_says_if_contrasts_are_at_other_steps_only() -> None:
    others = [contrast(step=step, primary="") for step in ("best", "step-000200")]
    assert tally(named(others, "last"), others, "last")[0] == "This study has named contrasts, but none at step last."
    assert tally([], [], "last")[0] == "No runs of this study form a named contrast."


def test_backbones_are_reported_separately() -> None:
    rows = [contrast(), contrast(backbone="y", verdict="contradicted")]
    (one,) = named(rows, "last")
    assert "supported for simclr, crop, x (" in sentence(one) and "contradicted for simclr, crop, y (" in sentence(one)
    assert tally([one], rows, "last")[:2] == [
        "Primary contrast revised − original, simclr, crop, x, by Linear probe: supported.",
        "Primary contrast revised − original, simclr, crop, y, by Linear probe: contradicted.",
    ]


def test_a_floor_is_the_last_checkpoint_of_the_same_backbone() -> None:
    scores = Scores(
        [
            score("a", "mean", 0.2, method="untrained", backbone="x"),
            score("b", "mean", 0.4, method="untrained", backbone="y"),
            *(
                score("c", "mean", v, method="supervised", backbone="x", step=s)
                for s, v in (("best", 0.8), ("last", 0.9))
            ),
        ]
    )
    assert scores.bounds("untrained", contrast()) == [("untrained", 0.2)]
    assert scores.bounds("supervised", contrast(step="best")) == [("supervised", 0.9)]
    both = scores.bounds("untrained", contrast(backbone="x vs y"))
    assert both == [("untrained (x)", 0.2), ("untrained (y)", 0.4)]


def test_means_leave_out_the_set_that_chose_the_checkpoint() -> None:
    names = {"a": 0.2, "b": 0.4, "c": 0.9}
    rows = [score("u", name, value, method="untrained", backbone="x") for name, value in names.items()]
    rows.append(score("u", "mean", 0.5, method="untrained", backbone="x"))
    left_out = contrast(step="best", chosen_on="c")
    scores = Scores(rows)
    assert scores.bounds("untrained", contrast()) == [("untrained", 0.5)]
    assert scores.bounds("untrained", left_out) == [("untrained", pytest.approx(0.3))]
    assert scores.of("u.last", left_out) == [pytest.approx(0.3)] and scores.of("u.best", left_out) == []
    assert scores.of("u.last", contrast(dataset="c", chosen_on="c")) == [0.9]


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


def test_methods_are_reported_separately() -> None:
    (one,) = named([contrast(), contrast(method="simsiam", verdict="contradicted", tag="long")], "last")
    assert "supported for simclr, crop (" in sentence(one) and "contradicted for simsiam, crop, long (" in sentence(one)


def test_without_a_primary_contrast_nothing_is_concluded() -> None:
    rows = [contrast(metric="few_shot.accuracy", primary="", verdict="exploratory")]
    (one,) = named(rows, "last")
    assert "was not measured" in sentence(one)
    assert tally([one], rows, "last") == ["No primary contrast was measured, so this study has no verdict."]


def test_a_verdict_on_another_endpoint_is_told_before_the_probe() -> None:
    rows = [contrast(primary="", verdict="exploratory"), contrast(metric="few_shot.accuracy")]
    (one,) = named(rows, "last")
    assert sentence(one).startswith("Few-shot: supported for simclr, crop")
    assert ". Linear probe: exploratory for simclr, crop (sklearn +5.0 points" in sentence(one)
    assert tally([one], rows, "last")[0].endswith("by Few-shot: supported.")


def test_contrasts_without_runs_are_shown_at_every_step_in_their_unit() -> None:
    none = {"method": "", "augmentation": "", "backbone": "", "dataset": "", "step": "", "level": "image", "n": 400}
    rows = [
        contrast(**none, contrast="purity", metric="pair_purity"),
        contrast(**none, contrast="captions", metric="caption_score.clip.cosine", difference=0.0123, low=-0.01,
                 primary="", verdict="exploratory"),
    ]  # fmt: skip
    first, second = named(rows, "last")
    assert sentence(first) == "Pairs with the same label: supported (+5.0 points [+1.0 to +9.0])."
    assert second.shown[0].interval == "−0.01 to +0.09" and second.shown[0].least == "0.04"
    assert (
        tally([first, second], rows, "last")[0] == "Primary contrast purity, by Pairs with the same label: supported."
    )
    unknown = contrast(**none, metric="pair_purity", low=None, high=None, reason="why") | {"difference": None}
    assert "(why; – points)" in sentence(named([unknown], "last")[0])
    cited = Cited(Source("a", "b", "c"), {"contrasts": [[0]] * 2, "files": [{"file": "f"}]})
    for at, block in enumerate(blocks([first, second], [], cited)):
        assert block["lines"][0]["seeds"] == "400 images" and ("difference, points" in block["figure"]) == (at == 0)


def test_the_tally_gives_each_primary_verdict_once_and_counts_the_rest() -> None:
    rows = [
        *(contrast(metric=f"linear_probe.{one}.accuracy") for one in ("sklearn", "lgssl")),
        contrast(method="simsiam", verdict="exploratory", primary=""),
        contrast(contrast="x", verdict="not comparable", reason="different budget", primary="default"),
    ]
    assert tally(named(rows, "last"), rows, "last") == [
        "Primary contrast revised − original, simclr, crop, by Linear probe: supported.",
        "Primary contrast x, simclr, crop, by Linear probe: not comparable (different budget).",
        "The config declares no primary contrast; this one is the default.",
        "Other comparisons, all exploratory: 1.",
    ]


def test_common_classes_are_shown_with_their_other_names() -> None:
    found = {"car": {"cifar10": "automobile", "stl10": "car"}, "frog": {"cifar10": "frog", "pets": "frog"}}
    assert common_classes(found) == "car (cifar10: automobile), frog"


def test_the_terminal_shows_the_same_numbers() -> None:
    summary = [score(f"r{seed}", "a", value, seed=seed) for seed, value in enumerate((0.61, 0.64, 0.60))]
    text = arms_table(pa.Table.from_pylist(summary), pa.Table.from_pylist([contrast()]))
    low, high = stats.t.interval(0.95, 2, 0.61667, stats.sem([0.61, 0.64, 0.60]))
    assert f"61.7 [{100 * low:.1f}, {100 * high:.1f}]s" in text
    line = next(line for line in text.splitlines() if line.startswith("revised − original"))
    assert "+5.0 [+1.0 to +9.0]" in line and "0.020" in line and line.endswith("supported")


def test_the_terminal_names_the_set_that_chose_a_checkpoint() -> None:
    summary = [score("r", "b", 0.6, step="best", chosen_on="a")]
    text = arms_table(pa.Table.from_pylist(summary), pa.Table.from_pylist([contrast()]), "best")
    assert "Checkpoints chosen on a: best. There, means over sets leave it out" in text


def test_the_terminal_says_if_no_arm_was_evaluated() -> None:
    empty = pa.Table.from_pylist([score("r", "a", 0.5)]).slice(0, 0)
    text = arms_table(empty, pa.Table.from_pylist([contrast()]).slice(0, 0))
    assert "no arm was evaluated" in text and "No runs of this study form a named contrast." in text


@pytest.mark.parametrize("width", [80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    summary, contrasts = pa.Table.from_pylist([score("r", "a", 0.5)]), pa.Table.from_pylist([contrast()])
    text = arms_table(summary, contrasts, width=width)
    tables = [line for line in text.splitlines() if not line.startswith(("Arms: ", "Contrasts: ", "Primary "))]
    assert max(map(len, tables)) <= width
    for shown in ("50.0", "+5.0 [+1.0 to +9.0]", "0.020", "supported", "Linear probe, sklearn"):
        assert shown in text
    assert ("verdict      supported" in text) == (width == 80)
