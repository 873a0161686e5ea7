from pathlib import Path
from typing import Any

import pytest

from tests.reporting import fake_study
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import SALIENCY
from workflow_scripts.reporting.sections.saliency import _higher, better_maps, statement
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Study

ALL, SOME = {"centre_gaussian": (3, 3), "runner_up": (3, 3)}, {"centre_gaussian": (2, 3), "runner_up": (3, 3)}
NONE = {"centre_gaussian": (0, 3), "runner_up": (0, 3)}
HIGHER = "not shown: not every run of the side with the higher score beats"


@pytest.mark.parametrize(
    ("difference", "p", "reason", "leading", "said"),
    [
        (0.2, 0.01, "", ALL, "the maps of a are better"),
        (0.2, 0.01, "", SOME, f"{HIGHER} the centre Gaussian"),
        (0.2, 0.01, "", NONE, f"{HIGHER} the centre Gaussian and the map of the runner-up class"),
        (0.2, 0.01, "", {"centre_gaussian": (0, 0), "runner_up": (3, 3)}, f"{HIGHER} the centre Gaussian"),
        (0.2, 0.2, "", ALL, "not shown: not significant after Holm’s correction"),
        (0.2, 0.01, "only 3 classes", ALL, "not shown: only 3 classes"),
        (0.2, None, "", ALL, "not shown: no joint interval"),
    ],
)
def test_maps_are_better_only_if_they_lead_the_gaussian_and_the_runner_up(
    difference: float, p: float | None, reason: str, leading: dict[str, tuple[int, int]], said: str
) -> None:
    row = {"difference": difference, "p_adjusted": p, "reason": reason, "primary": "declared"}
    assert statement(row, leading, "a") == said


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    results: Path = tmp_path_factory.mktemp("better") / "results"
    given = fake_study.run_inputs(results)
    return Study({name: [Artifact(path) for path in paths] for name, paths in given.items()}, Report(study="s"))


def test_the_side_with_the_higher_score_is_checked(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    read = study.table

    def table(artifact: Artifact, suffix: str = ".parquet") -> list[dict[str, Any]]:
        rows = read(artifact, suffix)
        if suffix == ".contrasts.parquet":
            empty = {"plus": "", "minus": ""}
            return [row | {"reason": ""} | (empty if "crop" in row["contrast"] else {}) for row in rows]
        behind = {
            "metric": "saliency.centre_gaussian.pixel_ap.lead",
            "run": fake_study.run_name(*fake_study.RUNS[4][:4]),
        }
        return [row | {"low": -0.01} if all(row.get(key) == behind[key] for key in behind) else row for row in rows]

    assert {line["dataset"] for line in better_maps(study)} == {"masks"}
    monkeypatch.setattr(study, "table", table)
    lines = {(line["name"], line["where"]): line for line in better_maps(study)}
    line = lines["revised − original", "simclr, crop"]
    assert line["number"].text == "+8.0" and SALIENCY in line["number"].title
    assert (line["leading"], line["statement"]) == (["2 of 3", "3 of 3"], f"{HIGHER} the centre Gaussian")
    line = lines["original (crop) − self (simclr)", "simclr, crop"]
    assert line["statement"] == "not shown: no joint interval" and line["leading"] == ["—", "—"]


def test_the_better_side_is_named_by_what_tells_it_from_the_other(study: Study) -> None:
    row = {"plus": "simclr-self-simclr-resnet_small-s0.last", "minus": "simclr-original-crop-resnet_small-s0.last"}
    assert _higher(study, row | {"difference": 0.1}) == "self pairs (simclr)"
    assert _higher(study, row | {"difference": -0.1}) == "original captions (crop)"
    assert _higher(study, {**row, "minus": row["plus"].replace("last", "9"), "difference": -1}) == "self pairs (step 9)"
