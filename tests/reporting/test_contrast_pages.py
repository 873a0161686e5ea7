"""Pages of studies from which nothing can be concluded, each for another reason, and of one that is conclusive."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.evaluation.study import artifact, run
from tests.file_bytes import parquet
from tests.helpers import run as run_stage
from workflow_scripts.reporting.sections.console import arms_table
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
    """The page of a study, and what the terminal shows."""
    inputs = {"probe": [probe(results, one, name, chances) for one in runs for name in ("concept", "colour")]}
    made = run_stage(SUMMARY, results, "summary/summary", {"runs": runs, "bootstrap": 200}, inputs)
    report = run_stage(
        REPORT, results, "report/index", {"study": "made up"}, inputs | {"summary": [made.manifest_path]}
    )
    tables = [pq.read_table(made.path(suffix)) for suffix in (".parquet", ".contrasts.parquet")]
    return report.path(".html").read_text(), arms_table(*tables)


BOTH = {"sklearn": CHANCE, "lgssl": CHANCE}
OPPOSED = {"sklearn": CHANCE, "lgssl": {**CHANCE, "revised": 0.3}}
STUDIES = {
    "one seed": (studied(1), BOTH),
    "unequal budgets": (studied(5, revised_steps=200), BOTH),
    "disagreeing objectives": (studied(5), OPPOSED),
    "conclusive": (studied(5), BOTH),
}


def said(results: Path, name: str) -> tuple[str, dict[str, str], str]:
    """Claim, sentence of each contrast, and terminal of a study."""
    text, terminal = page(results, *STUDIES[name])
    claim = re.findall(r'<p class="claim">(.*?)</p>', text)[0]
    blocks = re.findall(r'<article class="named">.*?</span></span>(.*?) <span.*?<p>(.*?)</p>', text, re.DOTALL)
    return claim, dict(blocks), terminal


@pytest.mark.parametrize(
    ("name", "verdict", "reason"),
    [
        ("one seed", "inconclusive", "no joint interval: it needs three seeds and two classes"),
        ("unequal budgets", "not comparable", "different budget"),
        ("disagreeing objectives", "inconclusive", "the objectives disagree"),
        ("conclusive", "supported", ""),
    ],
)
def test_the_page_states_the_verdict_and_reason_and_claims_nothing_else(
    results: Path, name: str, verdict: str, reason: str
) -> None:
    claim, sentences, terminal = said(results, name)
    assert (
        f"{verdict} for simclr, crop" in sentences["revised − original"] and reason in sentences["revised − original"]
    )
    assert f"{verdict}: {reason}" in terminal if reason else verdict in terminal
    lines = [line for line in terminal.splitlines() if line.startswith("revised − original")]
    assert all(line.endswith(verdict) for line in lines) and bool(lines) == (name != "one seed")
    assert max(map(len, terminal.splitlines())) <= 200
    assert reason in claim
    if name == "one seed":
        assert not re.search(r"supported|contradicted", claim + terminal + "".join(sentences.values()))


def test_each_contrast_has_a_figure_with_floors_and_a_table(results: Path) -> None:
    text, _ = page(results, *STUDIES["conclusive"])
    blocks = re.findall(r'<article class="named">(.*?)</article>', text, re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        assert block.count("<svg") == 1 and block.count("<table>") == 1
    first = next(block for block in blocks if "revised − original" in block)
    assert first.count('class="floor"') == 2  # one for each objective
    assert first.count("<circle") == 2 * (5 + 5 + 1) and first.count('class="whisker"') == 2
    assert "Linear probe, sklearn" in first and "Linear probe, lgssl" in first


def test_a_floor_of_several_untrained_networks_is_their_mean(results: Path) -> None:
    text, terminal = page(results, *STUDIES["conclusive"])
    (block,) = [one for one in re.findall(r'<article class="named">(.*?)</article>', text, re.DOTALL)
                if "revised − untrained" in one]  # fmt: skip
    assert block.count("<circle") == 2 * (5 + 5 + 1), "each seed of both sides, and their difference"
    assert re.findall(r"exploratory for simclr vs untrained, crop vs none", block)
    table = pq.read_table(results / "study/summary/summary.parquet").to_pylist()
    values = [row["value"] for row in table if row["method"] == "untrained" and row["dataset"] == "mean"
              and row["metric"] == "linear_probe.sklearn.accuracy"]  # fmt: skip
    assert len(values) == 5 and len(set(values)) > 1
    (line,) = [one for one in terminal.splitlines() if one.startswith("untrained")]
    assert f"{100 * np.mean(values):.1f}" in line and re.search(r"\b5\b", line)


def test_the_page_notes_that_the_selection_set_is_left_out(results: Path) -> None:
    runs = [one | ({"chosen": {"last": "colour"}} if "batch_size" in one else {}) for one in studied(5)]
    text, terminal = page(results, runs, BOTH)
    note = "Checkpoints chosen on colour: last. There, means over sets leave it out, and its own contrasts"
    assert text.count(note) == 2 and note in terminal  # on the page above the arms, and above accuracies by dataset
    blocks = re.findall(r'<article class="named">(.*?)</article>', text, re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        assert block.count("mean over sets without colour") == 2
        assert block.count('class="floor"') == 2


def test_no_template_or_sentence_judges() -> None:
    folder = Path(__file__).parents[2] / "workflow_scripts" / "reporting"
    files = [path for path in folder.rglob("*") if path.suffix in (".py", ".html")]
    assert files
    for path in files:
        found = re.findall(r"\b(helps?|hurts?|improves?|worsens?|outperforms?)\b", path.read_text().lower())
        assert not found, f"{path}: {found}"
