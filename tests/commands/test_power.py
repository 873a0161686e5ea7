"""What ``faithful-pairs power`` prints."""

from pathlib import Path

import pytest
import yaml

from tests.study.config.configs import planned
from tests.study.estimates.test_power import TWO, summary
from workflow_scripts.commands.main import main
from workflow_scripts.study.estimates.power import powers


@pytest.fixture
def overlay(tmp_path: Path) -> str:
    """A study of two arms with two primary contrasts, one of which has no figure."""
    against = [{"weight": 1, "pairs": "revised"}, {"weight": -1, "method": "untrained"}]
    primary = [
        {"name": "gain", "minuend": "revised", "subtrahend": "original", "primary": True},
        {"name": "size", "terms": against, "primary": True},
    ]
    runs = [*TWO["runs"], {"method": "untrained", "pairs": "none", "augmentation": "none", "seeds": [0]}]
    (tmp_path / "over.yaml").write_text(yaml.safe_dump({**TWO, "study": "two", "runs": runs, "contrasts": primary}))
    return str(tmp_path / "over.yaml")


def test_power_prints_a_table_and_reasons(overlay: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "--configfile", overlay, "--sd", "0.3", "--sd", "1"]) == 0
    said = capsys.readouterr().out.splitlines()
    effect = powers(planned(change=yaml.safe_load(Path(overlay).read_text())))[0].effect
    assert said[:2] == ["**two**, percentage points", ""]
    assert said[2:5] == [
        "| primary contrast | effect | seeds | arms | sd 0.3 | sd 1 |",
        "|---|---|--:|--:|--:|--:|",
        f"| gain | difference | 3 | own | {0.3 * effect:.2f} | {effect:.2f} |",
    ]
    assert said[5] == "size: none can be found, since its runs have fewer than 3 seeds in common."
    assert said[-1].startswith("These figures are from deviations between seeds alone")


@pytest.mark.parametrize("name", ["gain", "other"])
def test_power_uses_measured_deviations(
    overlay: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """And quotes the study, of a contrast that it has: 9 points by the larger of two objectives."""
    config, pilot = yaml.safe_load(Path(overlay).read_text().replace("gain", name)), tmp_path / "pilot"
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(config))
    summary(pilot, {"a": [0.50, 0.51, 0.52], "b": [0.30, 0.30, 0.32]})
    assert main(["power", "--configfile", str(tmp_path / "two.yaml"), "--measured", str(pilot)]) == 0
    said, effect = capsys.readouterr().out, powers(planned(change=config))[0].effect
    assert f"| {0.3 * effect:.2f} | {0.6 * effect:.2f} | 0.82 | {(2 / 3) ** 0.5 * effect:.2f} |" in said
    quoted = f"{pilot} itself states 9.00 points for gain, with 3 seeds, its classes and its images."
    assert (quoted in said, " itself states " in said) == ((name == "gain",) * 2)
    assert f"Measured in {pilot}: linear_probe at last, 6 networks of 2 arms." in said
    assert main(["power", "--measured", str(tmp_path / "none")]) == 1
    assert "missing file in " in capsys.readouterr().err


def test_power_prints_the_seeds_that_find_the_smallest_effect(
    overlay: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more.yaml").write_text("smallest_effect: 1.0\n")
    files = ["--configfile", overlay, "--configfile", str(tmp_path / "more.yaml")]
    assert main(["power", *files, "--sd", "0.3", "--sd", "60"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "needed" in line)
    found = powers(planned(change=yaml.safe_load(Path(overlay).read_text())))[0]
    assert found.least(found.seeds) == found.effect
    said = found.seeds_needed(1.0, 0.3)
    seeds = int(said.removeprefix("at least "))
    assert found.least(seeds) * 0.3 <= 1.0 < found.least(seeds - 1) * 0.3 and seeds > 3
    assert line.endswith(f"needed for 1 points: {said} if they deviate by 0.3, more than 100 if they deviate by 60.")


def test_a_study_without_primary_contrasts_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.yaml").write_text(yaml.safe_dump({**TWO, "runs": TWO["runs"][:1]}))
    assert main(["power", "--configfile", str(tmp_path / "one.yaml")]) == 0
    assert "The study has no primary contrast." in capsys.readouterr().out
