"""The table of what was trained: names, intervals of one kind, and the best of each column."""

import pytest

from tests.reporting.sections.test_headline import SALIENCY, row
from workflow_scripts.reporting.sections.console import tables
from workflow_scripts.reporting.sections.headline import RunTable, run_table
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Source

ROLES = {"self": "self", "original": "language", "table": "language", "oracle": "oracle", "labels": "supervised"}
SETTINGS = Report(study="s", roles={**ROLES, "random": "random in subreddit"}, captions_of={"table": "mine"})
VALUES = (0.61, 0.64, 0.60)


def seeds(pairs: str, shift: float = 0.0, **more: object) -> list[dict[str, object]]:
    return [row(f"{pairs}{n}", "a", value + shift, pairs=pairs, seed=n, **more) for n, value in enumerate(VALUES)]


def made(*rows: dict[str, object]) -> RunTable:
    found = run_table(rows, "last", SETTINGS)
    assert found is not None
    return found


def test_rows_are_named_by_what_differs_between_trained_runs() -> None:
    reference = {"trained_steps": 0, "epochs": None, "augmentation": "none"}
    found = made(
        *seeds("self", augmentation="simclr"),
        *seeds("original"),
        row("t", "a", 0.5, pairs="table", tag="long"),
        row("r", "a", 0.5, pairs="random"),
        row("u", "a", 0.2, pairs="none", method="untrained", **reference),
        row("s", "a", 0.9, pairs="labels", method="supervised"),
        row("e", "a", 0.9, pairs="none", method="external", backbone="clip", **reference),
    )
    assert found.table.columns[0] == "trained on (augmentation, tag, network)"
    assert [line[0] for line in found.table.rows] == [
        "self pairs (simclr, resnet_small)",
        "original captions (crop, resnet_small)",
        "pairs “table” by captions “mine” (crop, long, resnet_small)",
        "random pairs in subreddit (crop, resnet_small)",
        "untrained network (resnet_small)",
        "supervised network (resnet_small)",
        "network from elsewhere (clip)",
    ]
    assert found.common == "simclr, 200 steps, 12.5 epochs"


def test_the_best_is_no_floor_or_ceiling_and_columns_without_values_are_left_out() -> None:
    oracle = row("o", "a", 0.95, pairs="oracle")
    found = made(*seeds("self"), *seeds("original", 0.1), oracle)
    assert list(found.table.columns) == ["trained on", "seeds", "Linear probe"] and found.table.best == {(1, 2)}
    assert [line[2].split()[0] for line in found.table.rows] == ["61.7", "71.7", "95.0"]
    assert made(*seeds("self"), oracle).table.best == set()  # nothing to compare it with


def test_negative_scores_have_a_minus_sign_on_the_page_and_an_interval_in_the_terminal() -> None:
    rows = [*seeds("self", -0.65, metric=SALIENCY), *seeds("original", -0.9, metric=SALIENCY)]
    found = made(*rows)
    assert [line[2].partition(",")[0] for line in found.table.rows] == ["−3.3 [−8.5", "−28.3 [−33.5"]
    assert found.table.best == {(0, 2)} and "−3.3 ±5.2" in " ".join(tables(rows, [], SETTINGS))


@pytest.mark.parametrize(("several", "kind"), [(True, "seeds"), (False, "test items")])
def test_all_intervals_are_of_one_kind_which_is_named(several: bool, kind: str) -> None:
    rows = seeds("self") if several else [row("r", "a", 0.6)]
    found = made(*rows, row("r", "masks", 0.5, metric=SALIENCY, pairs="self" if several else "original"))
    assert found.kind == kind and found.table.title.endswith(f"over {kind}; linear probe: objective sklearn")
    assert ["[" in cell for cell in found.table.rows[0][2:]] == [True, not several]
    (probe, saliency), *_ = found.numbers(Source("f", "d", "a"))
    assert probe.interval.startswith("[") and (saliency.interval == "") == several
