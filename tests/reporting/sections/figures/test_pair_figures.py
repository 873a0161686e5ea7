"""Figures of pair tables in words, with shares in per cent."""

from pathlib import Path

from tests.reporting.fake_data import data_inputs
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.sections.data import pair_figures
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Study


def test_measures_are_in_words_and_shares_in_per_cent(tmp_path: Path) -> None:
    paths = data_inputs(tmp_path, {})["pair_quality"]
    found = pair_figures(Study({"pair_quality": [Artifact(path) for path in paths]}, Report(study="s")))
    (together, figure, ((same_label, cells),)), *_ = found["groups"]
    assert (together, same_label) == ("Do the images of a pair belong together?", "same label, % of pairs")
    assert [(cell.text, cell.interval) for cell in cells] == [("95.0", "[92.5, 97.5]")] * 3 + [("—", "")]
    assert cells[0].source is not None and cells[0].source.file == "pair_quality/original.json"
    assert figure.rows[0] == ("same label", "% of pairs", "higher", "original", 95.0, 92.5, 97.5)
    assert found["table"].columns == ["measure", "original", "revised", "shuffled", "visual"]
    assert found["table"].rows[0] == ["same label, % of pairs", *["95.0 [92.5, 97.5]"] * 3, "—"]


def test_without_pair_tables_there_are_no_figures() -> None:
    assert pair_figures(Study({}, Report(study="s")))["groups"] == []
