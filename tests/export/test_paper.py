"""The folder for a paper: complete, the same each time, text that LaTeX takes as text, and metadata that loads."""

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlcroissant
import pytest

from tests.file_bytes import parquet
from tests.helpers import make_artifact
from tests.reporting.fake_data import ARMS, N, key
from tests.reporting.fake_study import make_study
from workflow_scripts.commands.main import main as command
from workflow_scripts.core.artifact import MANIFEST, RUN, manifest_hash
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.inputs import clear_inputs
from workflow_scripts.export.appendix import hours
from workflow_scripts.export.finished import Work
from workflow_scripts.export.folder import LISTING, fault_of
from workflow_scripts.export.paper import FITTED
from workflow_scripts.reporting.drawings import Dot
from workflow_scripts.reporting.sections.contrasts import forest
from workflow_scripts.reporting.tables import Table, sentence
from workflow_scripts.reporting.terms import SYNTHETIC
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

RECORD = {
    "start": "2026-11-29T10:00:00.000+00:00",
    "end": "2026-11-30T11:00:00.000+00:00",
    "seconds": 7200.0,
    "cpu_seconds": 3600.0,
    "python": "3.11.9",
    "packages": {"torch": "2.13.0", "absent": None},
    "cpu_model": "A_CPU & co",
    "gpu_model": None,
    "git": {"commit": "c" * 40, "dirty": False, "diff": None},
    "inputs": {},
    "input_files": {},
}
ROWS = [{"key": key(0), "url": "https://a.invalid/0.jpg", "state": "ok", "year": 2020, "sha256": "0" * 64}]
ROWS += [{"key": "lost", "url": "https://a.invalid/1.jpg", "state": "gone", "year": 2021, "sha256": None}]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up study with its report, at the settings of the demo, and records of every computation."""
    results = tmp_path_factory.mktemp("paper") / "results"
    inputs = make_study(results)
    shards = enumerate(parquet([row]) for row in ROWS)
    inputs["download"] = [
        make_artifact(results, "download", f"{at:05d}", {".parquet": shard, ".tar": b"x"}) for at, shard in shards
    ]
    for path in (path for paths in inputs.values() for path in paths):
        gpu = {"gpu_model": ["A GPU"] * 3, "settings": {"processes": 2}} if path.parent.name == "pretrain" else {}
        write_record(path, gpu)
    settings = Units(load_study(read_config(["config.yaml", "profiles/demo/study.yaml"]))).report_settings()
    heads = ("trained on", "seeds", "Linear probe", "Few-shot", "kNN", "Saliency, corrected AP")
    table = Table("runs", "Arms", heads, [("revised captions (crop)", "3", *["60.1 [59.0, 61.2]"] * 4)], {(0, 2)})
    figure = forest("primary", "Contrasts & co", [Dot("revised − original", "ink", 22.2, 13.1, 31.3)], {"Linear probe"})
    files: dict[str, bytes | Path] = {f"/table-runs.{kind}": data for kind, data in table.files().items()}
    files |= {f"/figure-primary.{kind}": data for kind, data in figure.files().items()} | {".html": b"x"}
    read = {name: [str(path) for path in paths] for name, paths in inputs.items()}
    hashes = {name: [manifest_hash(path) for path in paths] for name, paths in inputs.items()}
    report = make_artifact(results, "report", "index", files)
    write_record(report, {"settings": settings | {"study": "made_up"}, "inputs": hashes, "input_files": read})
    return results / "study"


def write_record(path: Path, more: dict[str, Any]) -> None:
    record = {**RECORD, **more, "stage": path.parent.name, "key": "made-by-hand"}
    path.with_name(path.name.replace(MANIFEST, RUN)).write_bytes(pretty(record))


@pytest.fixture(scope="module")
def folder(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written") / "paper"
    assert command(["paper", str(finished), str(out), "--tables", "--licence", "cc-by-4.0"]) == 0
    return out


def test_the_folder_is_complete_and_the_same_each_time(finished: Path, folder: Path, tmp_path: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names >= {"README.md", "methods.tex", "methods.txt", "references.bib", "licences.md", "checklist.md"}
    report = {path.name for path in (finished / "report/index").iterdir()}
    assert report <= names and "figure-primary.pdf" in report
    assert fault_of(folder) is None
    assert command(["paper", str(finished), str(tmp_path / "again"), "--tables", "--licence", "cc-by-4.0"]) == 0
    assert (tmp_path / "again" / LISTING).read_bytes() == (folder / LISTING).read_bytes()
    assert not any(str(finished.parent) in path.read_text() for path in folder.glob("*.[mtj]*"))


def test_methods_have_settings_software_hardware_and_hours(finished: Path, folder: Path) -> None:
    text = (folder / "methods.txt").read_text()
    trainings = len(list((finished / "pretrain").glob(f"*{MANIFEST}")))
    for part in ("AdamW (Loshchilov and Hutter 2019)", "torch 2.13.0", "CPU A_CPU & co", "GPU A GPU", "seeds 0, 1, 2"):
        assert part in text
    assert f"and {4 * trainings:,.1f} GPU hours, from 2026-11-29" in text
    with open(folder / "table-computing.csv") as stream:
        lines = {row["stage"]: row for row in csv.DictReader(stream)}
    known = lines["pretrain"]["CPU hours"], lines["pretrain"]["GPU hours"]
    assert known == (f"{trainings:.2f}", f"{4 * trainings:.2f}")
    assert lines["all"]["CPU hours"] == f"{len(list(finished.rglob(f'*{RUN}'))):.2f}"
    assert "CPU hours of one core; " in (folder / "table-computing.md").read_text()
    checklist = (folder / "checklist.md").read_text()
    assert "items\n   (few-shot: episodes; saliency: classes and test images)." in checklist
    assert len(re.findall(r"^\d+\. \*\*", checklist, re.MULTILINE)) == 16 and "`A GPU`" in checklist
    assert "c" * 40 in (folder / "README.md").read_text()


def test_settings_that_differ_from_the_default_are_bold(folder: Path) -> None:
    lines = (folder / "table-hyperparameters.md").read_text().splitlines()
    assert r"| pretraining.lr | **0.016** | 0.001 |" in lines
    assert r"| pretraining.weight\_decay | 0.01 | 0.01 |" in lines
    assert r"| pretraining.norm\_weight\_decay | 0 | 0 |" in lines and "| pretraining.unpaired | drop | drop |" in lines


def test_latex_is_balanced_and_cites_what_the_bibliography_has(folder: Path) -> None:
    bib = set(re.findall(r"^@\w+\{(\w+),$", (folder / "references.bib").read_text(), re.MULTILINE))
    methods = (folder / "methods.tex").read_text()
    cited = {one for group in re.findall(r"\\citep\{([^}]*)\}", methods) for one in group.split(",")}
    assert cited == bib and "loshchilov2019adamw" in cited
    for path in sorted({*folder.glob("*.tex")} - {folder / "example.tex"}):
        text = re.sub(r"^%.*$", "", path.read_text(), flags=re.MULTILINE)
        bare = re.sub(r"\\[\\{}$&#%_,]", "", text)
        assert bare.count("{") == bare.count("}"), path.name
        assert not re.search(r"[#_^%]", re.sub(r"\\citep\{[^}]*\}|\$10\^\{-\d+\}\$", "", bare)), path.name
        assert len(re.findall(r"\\begin\{(?:tabular|longtable)\}", text)) == path.name.startswith("table-")
        rows = text.partition(r"\toprule")[2].partition(r"\bottomrule")[0].split(r"\\")
        assert len({row.replace(r"\&", "").count("&") for row in rows[:-1]}) <= 1, path.name
    assert r"A\_\allowbreak{}CPU \& co" in methods


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("source", ["example.tex", "docs/paper.md"])
def test_examples_compile_and_nothing_is_wider_than_the_text(folder: Path, source: str, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "results")
    text = (folder / "example.tex" if source == "example.tex" else Path(source)).read_text()
    document = text if source == "example.tex" else re.findall(r"```latex\n(.*?)```", text, re.DOTALL)[0]
    (tmp_path / "main.tex").write_text(document)
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "main.tex"], cwd=tmp_path, capture_output=True)
    log = (tmp_path / "main.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert not [width for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(width) > 10], log


def test_floats_are_at_the_top_of_pages_with_titles_as_captions(folder: Path) -> None:
    text = (folder / "example.tex").read_text()
    assert "[tp]" not in text and r"\caption{Contrasts \& co.}" in text
    readme, page = (folder / "README.md").read_text(), Path("docs/paper.md").read_text()
    assert FITTED in text and FITTED in readme and FITTED in page
    assert [*map(sentence, ("quality", "kNN", "All used?"))] == ["Quality.", "kNN.", "All used?"]


def test_hours_of_a_small_study_are_told_in_minutes() -> None:
    work = {"pretrain": Work(2, 0.5, 0.25, 2000), "knn": Work(1, 0.25, 0.0, 1000)}
    study: Any = SimpleNamespace(work=work, hours=(0.75, 0.25))
    table = hours(study)
    assert table.columns[2:4] == ("CPU minutes", "GPU minutes") and "CPU minutes of one core" in table.note
    assert table.rows[-1] == ("all", "3", "45.00", "15.00", "2.0 kB")


def test_croissant_is_valid_and_loads_captions_pairs_and_images(folder: Path) -> None:
    dataset = mlcroissant.Dataset(folder / "croissant.json")
    issues = dataset.metadata.ctx.issues
    assert not issues.errors and not issues.warnings
    captions = list(dataset.records("records-captions-revised"))
    assert len(captions) == N and captions[0]["records-captions-revised/key"] == key(0).encode()
    (first, *_) = dataset.records("records-pairs-original")
    assert (first["records-pairs-original/source"], first["records-pairs-original/rank"]) == (key(0).encode(), 1)
    assert [row["records-images/state"] for row in dataset.records("records-images")] == [b"ok", b"gone"]
    written = json.loads((folder / "croissant.json").read_text())
    assert {one["name"] for one in written["distribution"]} >= {f"captions-{arm}" for arm in ARMS}
    assert written["rai:personalSensitiveInformation"] == ["None: images and texts are synthetic."]
    assert "rai:dataCollectionTimeFrame" not in written, (
        "of other data than RedCaps, no one knows when it was collected"
    )


def test_licences_name_models_and_sets(folder: Path) -> None:
    text = (folder / "licences.md").read_text()
    assert "| model: captioner | package:workflow\\_scripts/demo/captioner/caption | MIT, as the workflow |" in text
    assert "| --- | --- | --- |" in text and "not known" not in text
    assert "Apache-2.0" in text and "MIT, as the workflow" in text and "model: encoder\\-minilm" not in text


def test_the_primary_contrasts_and_their_verdicts_have_files(folder: Path) -> None:
    rows = list(csv.DictReader((folder / "table-primary.csv").read_text().splitlines()))
    assert [(row["difference"], row["verdict"]) for row in rows] == [("+8.0 [+2.0, +14.0]", "inconclusive")]
    answer = (folder / "answer.tex").read_text()
    assert answer.startswith(f"{SYNTHETIC}.\n\nIt is open whether revised captions beat the original ones")
    readme = (folder / "README.md").read_text()
    assert "For the main text: `table-primary`, `figure-primary`, `table-runs`, `answer.tex`" in readme
    assert readme.count(r"\caption{") == 3


def test_tables_are_copied_and_recorded_only_on_request(
    finished: Path, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    before = set(finished.glob("copies/*.csv"))
    assert any(f"{folder},lost" in path.read_text() for path in before)
    assert command(["paper", str(finished), str(tmp_path / "out")]) == 0
    assert "artifacts behind the report" in caplog.text and "writing methods" in caplog.text
    assert set(finished.glob("copies/*.csv")) == before and not list((tmp_path / "out").glob("*.parquet"))
    assert "Not stated" in (tmp_path / "out/croissant.json").read_text()
    mlcroissant.Dataset(tmp_path / "out/croissant.json")


@pytest.mark.parametrize(
    ("damage", "said"),
    [("no report", "unfinished study"), ("figure", "damaged"), ("input", "incomplete"), ("folder", "folder in use")],
)
def test_unfinished_and_damaged_studies_and_foreign_folders_are_refused(
    finished: Path, tmp_path: Path, damage: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = tmp_path / "results/study", tmp_path / "out"
    shutil.copytree(finished, study)
    clear_inputs()
    if damage == "no report":
        (study / f"report/index{MANIFEST}").unlink()
    elif damage == "figure":
        path = next((study / "report/index").glob("table-*.tex"))
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    elif damage == "input":
        next((study / "pair_table").glob(f"*{MANIFEST}")).unlink()
    else:
        out.mkdir()
        (out / "notes.txt").write_text("mine")
    assert command(["paper", str(study), str(out)]) == 1
    assert said in capsys.readouterr().err
    assert damage == "folder" or not out.exists()


def test_a_report_without_figures_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_record(make_artifact(tmp_path, "report", "index", {".html": b"x"}), {"settings": {"study": "made"}})
    assert command(["paper", str(tmp_path / "study"), str(tmp_path / "out")]) == 1
    assert "report of another version" in capsys.readouterr().err
