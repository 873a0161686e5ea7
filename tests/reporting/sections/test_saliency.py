from pathlib import Path
from typing import Any

import pytest

from tests.reporting import fake_study
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.sections.saliency import saliency
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Study

MAPS = {
    "probe": {"role": "own", "layered": True, "summary": "own"},
    "runner_up": {"role": "swap", "layered": True, "summary": "swap"},
    "lafam": {"role": "floor", "layered": True, "summary": "channels"},
    "uniform": {"role": "floor", "layered": False, "summary": "chance"},
    "centre_gaussian": {"role": "floor", "layered": False, "summary": "centre"},
    "oracle": {"role": "ceiling", "layered": True, "summary": "mask"},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    results: Path = tmp_path_factory.mktemp("saliency") / "results"
    given = fake_study.run_inputs(results)
    return Study({name: [Artifact(path) for path in paths] for name, paths in given.items()}, Report(study="s"))


def test_the_saliency_figure_lists_floors_ceiling_and_every_run(study: Study) -> None:
    found = saliency(study, {"pixel_ap": "said", "other": "not measured"}, MAPS)
    (place,) = found["places"]
    names = [row[3] for row in place["figure"].rows]
    assert names[:4] == ["lafam (mean)", "uniform", "centre gaussian", "simclr self simclr"]
    assert len(names) == 3 + len(fake_study.RUNS) and names[-2:] == ["simsiam revised crop", "untrained"]
    assert names.count("simclr revised crop") == 3  # seeds
    assert place["title"] == "masks, layer4" and place["leads"] and place["n"] == 120
    assert found["scores"] == [("pixel ap", "said")]


def test_the_lead_is_a_paired_difference_in_points(study: Study) -> None:
    table = saliency(study, {}, MAPS)["places"][0]["leads_over"]
    assert table.columns == ["corrected AP", "over runner up", "over lafam", "over centre gaussian"]
    first = table.lines[0].cells
    assert first[1].text.startswith("+") and "runner_up" in first[1].title and "lead" in first[1].title


def test_each_leading_layer_has_a_separate_saliency_section(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    table, last = study.table, fake_study.run_name(*fake_study.RUNS[-1][:4])

    def renamed(artifact: Artifact, suffix: str = ".parquet") -> list[dict[str, Any]]:
        other = suffix == ".results.parquet" and artifact.unit["run"] == last
        return [row | {"layer": "block6"} if other else row for row in table(artifact, suffix)]

    monkeypatch.setattr(study, "table", renamed)
    first, second = saliency(study, {}, MAPS)["places"]
    assert (second["title"], second["leads"], first["leads"]) == ("masks, block6", True, True)
    assert len(first["leads_over"].lines) == len(fake_study.RUNS) - 1
    assert [line.name for line in second["leads_over"].lines] == [last]


def test_examples_are_of_the_first_seed_of_each_kind_of_run(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    found = saliency(study, {}, MAPS)
    marked = found["marked"]
    assert [column["run"] for column in found["grid"]["columns"]] == [line["run"] for line in marked]
    assert all(line["run"].endswith("-s0") for line in marked) and found["more"] == 0
    arms = {fake_study.run_name(*run[:4]).rpartition("-")[0] for run in fake_study.RUNS}
    assert {line["run"].rpartition("-")[0] for line in marked} == arms
    assert len(marked) == len(arms)
    assert [cell["role"] for cell in marked[0]["cells"]] == ["best", "median", "worst"]
    monkeypatch.setattr("workflow_scripts.reporting.sections.saliency.KINDS", 2)
    found = saliency(study, {}, MAPS)
    assert (len(found["marked"]), len(found["grid"]["columns"]), found["more"]) == (2, 2, len(arms) - 2)


def test_the_verdict_on_the_metric_comes_first(study: Study) -> None:
    first, second = saliency(study, {}, MAPS)["discrimination"]
    assert first["metric"] == "saliency.probe.pixel_ap.corrected" and second["metric"] == "linear_probe.sklearn"
    assert [cell.text for cell in first["cells"]] == ["0.80", "1.00", "0.70", "—"]
    assert first["cells"][0].interval == "[0.50, 0.95]" and first["verdict"] == "inconclusive: why"


def test_checks_are_shown_in_per_cent_or_in_their_unit(study: Study) -> None:
    (check,) = saliency(study, {}, MAPS)["checks"]
    found = {key: [(number.text, number.interval) for _, number in cells] for key, cells in check["lines"]}
    assert found == {
        ("cascade", "trained"): [("40.0", "[30.0, 50.0]")],
        ("cascade", "another photo"): [("0.20", "")],
        ("ROAD", "40 % removed"): [("−1.50", "[−2.00, 0.50]")],
    }
