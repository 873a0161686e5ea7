"""The files for GitHub and the workflow catalogue name what exists."""

import re
from pathlib import Path

import yaml

from tests.conftest import ROOT


def loaded(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text())


def test_the_workflow_runs_the_checks_and_keeps_the_demos_report() -> None:
    steps = loaded(".github/workflows/checks.yml")["jobs"]["checks"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands[-1] == ".ci/run" and (ROOT / ".ci/run").stat().st_mode & 0o111
    kept = [step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", "")]
    assert "results/demo/report/" in kept
    script = (ROOT / ".ci/run").read_text()
    assert "make demo" in script and "make site" in script


def test_the_issue_form_has_the_fields_that_contributing_asks_for() -> None:
    form = loaded(".github/ISSUE_TEMPLATE/fault.yml")
    fields = {field["id"]: field for field in form["body"] if "id" in field}
    required = {name for name, field in fields.items() if field.get("validations", {}).get("required")}
    assert required == {"command", "expected", "version"} and {"log", "config", "machine"} <= fields.keys()


def test_the_catalogue_names_profiles_that_exist() -> None:
    usage = loaded(".snakemake-workflow-catalog.yml")["usage"]
    named = re.findall(r"profiles/\w+", usage["mandatory-flags"]["desc"] + usage["mandatory-flags"]["flags"])
    assert named and all(Path(ROOT, name, "profile.yaml").is_file() for name in named)
    assert usage["software-stack-deployment"] == {"conda": True, "apptainer": True, "apptainer+conda": False}
