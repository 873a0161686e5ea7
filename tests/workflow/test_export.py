"""Networks of a finished study, given away: what is written, what is refused, and what a removal adds to a card."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.workflow.checkout import Checkout
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.export import hubconf
from workflow_scripts.export import run as runs
from workflow_scripts.export.card import UNKNOWN
from workflow_scripts.export.network import export
from workflow_scripts.export.run import Run, find_run
from workflow_scripts.models.preprocessing import normalise

pytestmark = pytest.mark.slow
LOAD = (
    "import sys; sys.modules['workflow_scripts'] = None; "  # it is installed here, also with -I
    "import torch; print(torch.hub.load({folder!r}, 'network', source='local')(torch.load('x.pt')).detach().tolist())"
)


@pytest.fixture
def study(nano: Checkout, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the smallest study, with the folder of its checkout as the working directory."""
    monkeypatch.chdir(nano.folder)
    runs._code.cache_clear()
    return nano.folder / "results/nano"


def the_run(study: Path) -> Run:
    return find_run(next((study / "pretrain").glob("*.manifest.json")))


def test_an_exported_network_gives_the_features_of_the_study_without_the_project(study: Path, tmp_path: Path) -> None:
    run = the_run(study)
    out = tmp_path / "given" / "away"
    _, in_timm = export(run, out, UNKNOWN)
    assert not in_timm
    pixels = np.load(study / f"eval_images/concept.{run.view.name}.npy")
    images = normalise(PackedImages(pixels, *[np.empty(0)] * 2).batch(slice(0, 8)))
    expected = np.load(study / f"features/{run.name}.last.concept.npy")[:8]
    torch.save(images, tmp_path / "x.pt")
    command = [sys.executable, "-I", "-c", LOAD.format(folder=str(out))]
    printed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert np.abs(np.array(json.loads(printed)) - expected).max() < 1e-5


def test_an_export_that_loads_with_other_features_is_not_published(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = hubconf.network

    def other(folder: Path) -> torch.nn.Module:
        network = real(folder)
        next(network.parameters()).data.mul_(1.01)
        return network

    monkeypatch.setattr(hubconf, "network", other)
    with pytest.raises(PipelineError, match=r"export that differs in .*: features by torch\.hub"):
        export(the_run(study), tmp_path / "given" / "away", UNKNOWN)
    assert not list((tmp_path / "given").iterdir())
    assert not list(study.glob("copies/*"))


def test_the_card_states_data_budget_scores_and_root_hash(study: Path, tmp_path: Path) -> None:
    run = the_run(study)
    export(run, tmp_path / "out", "CC BY 4.0 | <b> 🙂\udc80\u2028")
    card = (tmp_path / "out/README.md").read_text()
    assert run.root in (study / "report/index.html").read_text()
    for text in (run.root, "arm `revised`", "`concept`", "| steps | 2 |"):
        assert text in card
    header = yaml.safe_load(card.split("---\n")[1])
    assert (header["license"], header["license_name"]) == ("other", "CC BY 4.0 | <b> 🙂")
    assert "<b>" not in card.partition("\n---\n")[2]
    probe = next(row for row in run.scores if row["metric"].startswith("linear_probe") and row["dataset"] == "concept")
    assert (
        f"| {100 * probe['value']:.1f} | {100 * probe['low']:.1f} to {100 * probe['high']:.1f} | {probe['n']} |" in card
    )


def test_runs_that_are_unfinished_unknown_or_out_of_date_are_refused(study: Path) -> None:
    run = the_run(study)
    with pytest.raises(
        PipelineError, match=r"unknown checkpoint in .*: step-000009; choose from best, last, step-000001"
    ):
        find_run(run.node.path, "step-000009")
    with pytest.raises(PipelineError, match=r"no finished run in .*: it has no manifest; .*; finished runs: simclr"):
        find_run(study / "pretrain/other")
    with pytest.raises(PipelineError, match=r"not a run in .*: it belongs to summary/summary"):
        find_run(study / "summary/summary.parquet")
    report = study / "report/index.manifest.json"
    report.rename(study / "elsewhere")
    with pytest.raises(PipelineError, match=r"unfinished study in .*: it has no report yet"):
        find_run(run.node.path)
    (study / "elsewhere").rename(report)
    overlay = study.parents[1] / "tests/config/nano.yaml"
    text = overlay.read_text()
    overlay.write_text(text.replace("steps: 2", "steps: 3"))
    with pytest.raises(PipelineError, match=r"out of date in .*: made with other settings \(steps 2 then, 3 today\)"):
        find_run(run.node.path)
    overlay.write_text(text.replace("seeds: [0]", "seeds: [1]"))
    with pytest.raises(PipelineError, match=r"removed run in .*: the current config has no such run"):
        find_run(run.node.path)
    overlay.write_text(text)
    run.node.path.unlink()
    with pytest.raises(PipelineError, match=r"no finished run in .*: it has no manifest; .*; finished runs: none"):
        find_run(study / "pretrain" / run.name)


def test_removed_images_are_listed_on_cards_of_networks_trained_on_them(study: Path, tmp_path: Path) -> None:
    from workflow_scripts.acquisition.annotations.removal_tokens import id_token
    from workflow_scripts.commands.remove import _mark
    from workflow_scripts.core.files.copies import read_network
    from workflow_scripts.removal.shown import networks_of

    run = the_run(study)
    export(run, tmp_path / "out", UNKNOWN)
    (record,) = study.glob("copies/*.parquet")
    keys = read_network(record).keys
    assert len(keys) == run.node.manifest["rows"]["out"]
    networks, _ = networks_of(study.parent, {id_token(keys[3])}, {})
    marked, unmarked = _mark(networks)
    assert marked == [f"{tmp_path / 'out'}: its network learned from 1 removed images, which its card now lists"]
    assert not unmarked
    assert f"(1): `{keys[3]}`" in (tmp_path / "out/README.md").read_text()
    assert _mark(networks) == ([], [])
