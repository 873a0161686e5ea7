"""Pages of studies from which nothing can be concluded, each for another reason, and of one that is conclusive."""

import csv
import html
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.evaluation.study import artifact, run
from tests.file_bytes import parquet
from tests.helpers import run as run_stage
from workflow_scripts.commands.show import text as show
from workflow_scripts.reporting.figures import Figure, csv_file
from workflow_scripts.stages.report import STAGE as REPORT
from workflow_scripts.stages.summary import STAGE as SUMMARY

CHANCE = {"self": 0.45, "original": 0.5, "revised": 0.72, "none": 0.25}
ROLES = {"self": "self", "none": "untrained"}
LABELS = np.arange(300) % 10


def studied(seeds: int, revised_steps: int = 100) -> list[dict[str, Any]]:
    """Runs as the settings of the summary have them."""
    cells = [("simclr", pairs, "crop") for pairs in ("self", "original", "revised")] + [("untrained", "none", "none")]
    found = []
    for cell in cells:
        own = {"role": ROLES.get(cell[1], "language"), "backbone": "resnet_small"}
        if cell[0] != "untrained":
            steps = revised_steps if cell[1] == "revised" else 100
            own |= {"batch_size": 64, "trained_steps": steps, "views_per_pair": 2}
        found += [{**run(*cell, seed), **own} for seed in range(seeds)]
    return found


def probe(results: Path, one: dict[str, Any], dataset: str, chances: dict[str, dict[str, float]]) -> Path:
    """The linear probe of a run: each objective hits with the chance of its pairs, a little more or less by seed."""
    summary, items = [], []
    draw = np.random.default_rng([*f"{one['run']}{dataset}".encode()])
    uniform, shift = draw.random(len(LABELS)), draw.normal(0, 0.01)
    for objective, chance in chances.items():
        correct = uniform < chance[one["pairs"]] + shift
        head = {"dataset": dataset, "objective": objective}
        value = float(correct.mean())
        scored = {"metric": "accuracy", "value": value, "low": value - 0.05, "high": value + 0.05}
        summary.append({**head, **scored, "common_c": 1.0, "value_at_common_c": value})
        items += [
            {**head, "key": f"k{at}", "label": label, "predicted": label if hit else -1, "correct": hit}
            for at, (label, hit) in enumerate(zip(LABELS.tolist(), correct.tolist(), strict=True))
        ]
    files = {".parquet": parquet(summary), ".predictions.parquet": parquet(items), ".head.safetensors": b"x"}
    return artifact(results, "linear_probe", one, "last", dataset, files)


def page(results: Path, runs: list[dict[str, Any]], chances: dict[str, dict[str, float]]) -> tuple[str, str]:
    """The page of a study, unescaped, and what the terminal shows."""
    inputs = {"probe": [probe(results, one, name, chances) for one in runs for name in ("concept", "colour")]}
    made = run_stage(SUMMARY, results, "summary/summary", {"runs": runs, "bootstrap": 200}, inputs)
    with pytest.MonkeyPatch.context() as patch:  # drawing takes long
        patch.setattr(Figure, "inline", "")
        patch.setattr(Figure, "files", lambda figure: {"csv": csv_file(figure.columns, figure.rows)})
        inputs |= {"summary": [made.manifest_path]}
        report = run_stage(REPORT, results, "report/index", {"study": "made up"}, inputs)
    return html.unescape(report.path(".html").read_text()), show(results / "study")


BOTH = {"sklearn": CHANCE, "lgssl": CHANCE}
OPPOSED = {"sklearn": CHANCE, "lgssl": {**CHANCE, "revised": 0.3}}
STUDIES = {
    "one seed": (studied(1), BOTH),
    "unequal budgets": (studied(5, revised_steps=200), BOTH),
    "disagreeing objectives": (studied(5), OPPOSED),
    "conclusive": (studied(5), BOTH),
}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("one seed", r"It is open whether .*: inconclusive \(no joint interval: it needs three seeds .*\)\."),
        ("unequal budgets", r"It is open whether .*: not comparable \(different budget\)\."),
        ("disagreeing objectives", r"It is open whether .*: inconclusive \(the objectives disagree; smallest .*\)\."),
        (
            "conclusive",
            r"Revised captions beat the original ones by .* and 2 test sets \(objective lgssl: .*\): supported\.",
        ),
    ],
)
def test_page_and_terminal_give_the_same_answer_and_claim_nothing_else(results: Path, name: str, answer: str) -> None:
    text, terminal = page(results, *STUDIES[name])
    (said,) = re.findall(r'<p class="claim [^>]*>(.*?)</p>', text)
    assert re.fullmatch(answer, said)
    assert " ".join(terminal.split()).endswith(said)
    assert max(len(line) for line in terminal.splitlines() if not line.startswith("Report: ")) <= 80
    others = (text + terminal).replace(said, "")
    assert bool(re.search(r"class=\"text verdict-(supported|contradicted)", others)) == (name == "conclusive")


def test_the_first_figure_has_the_primary_contrast_and_its_controls(results: Path) -> None:
    text, _ = page(results, *STUDIES["conclusive"])
    drawn = csv.DictReader((results / "study/report/index/figure-primary.csv").read_text().splitlines())
    names = [line["name"] for line in drawn]
    assert names[0] == "revised − original" and any(name.startswith("revised − untrained, floor") for name in names)
    assert text.index("figure-primary.svg") < text.index('<section id="runs">') < text.index('<section id="contrasts">')


def test_several_untrained_networks_are_one_line_with_their_mean(results: Path) -> None:
    text, _ = page(results, *STUDIES["conclusive"])
    table = pq.read_table(results / "study/summary/summary.parquet").to_pylist()
    values = [row["value"] for row in table if row["method"] == "untrained" and row["dataset"] == "mean"
              and row["metric"] == "linear_probe.sklearn.accuracy"]  # fmt: skip
    assert len(values) == 5 and len(set(values)) > 1
    (line,) = re.findall(r"<tr><th>[^<]*<span[^>]*><span[^>]*></span></span>untrained network</th>.*?</tr>", text, re.S)
    assert f"<b>{100 * np.mean(values):.1f}</b>" in line and '"seeds">5<' in line


def test_the_page_notes_that_the_selection_set_is_left_out(results: Path) -> None:
    runs = [one | ({"chosen": {"last": "colour"}} if "batch_size" in one else {}) for one in studied(5)]
    text, terminal = page(results, runs, BOTH)
    note = "Checkpoints chosen on colour: last. There, means over sets leave it out, and its own contrasts"
    assert text.count(note) == 2 and note in " ".join(terminal.split())  # also above accuracies by dataset
    (listed,) = re.findall(r"<caption>Contrasts by name.*?</table>", text, re.DOTALL)
    assert listed.count("mean over sets without colour") == listed.count("<tr>") - 1 == 12  # six, by two objectives


def test_no_template_or_sentence_judges() -> None:
    folder = Path(__file__).parents[2] / "workflow_scripts" / "reporting"
    files = [path for path in folder.rglob("*") if path.suffix in (".py", ".html")]
    assert files
    for path in files:
        found = re.findall(r"\b(helps?|hurts?|improves?|worsens?|outperforms?)\b", path.read_text().lower())
        assert not found, f"{path}: {found}"
