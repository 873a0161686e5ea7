"""docs/tutorial.md, followed step by step: its config and its commands, as they stand there, up to a verdict."""

import csv
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.forkserver.environment import ForkServers
from tests.study.config.configs import planned
from tests.workflow.checkout import Checkout, as_user, give_to_user
from workflow_scripts.study.estimates.power import powers

TUTORIAL = (ROOT / "docs/tutorial.md").read_text()
((CONFIG, TEXT),) = re.findall(r"^```yaml (\S+)\n(.*?)^```$", TUTORIAL, re.DOTALL | re.MULTILINE)
COMMANDS = [shlex.split(line) for line in re.findall(r"^```bash\n(.*?)\n```$", TUTORIAL, re.DOTALL | re.MULTILINE)]
VERDICTS = re.findall(r"^\| ([a-z ]+) \| \S", TUTORIAL.partition("| verdict |")[2], re.MULTILINE)


@pytest.mark.slow
def test_the_tutorial_ends_with_a_verdict(open_folder: Path, servers: ForkServers) -> None:
    checkout = Checkout(open_folder / "tutorial").draw_no_figures()
    checkout.snakemake = servers.snakemake
    (checkout.folder / CONFIG).write_text(TEXT)
    give_to_user(checkout.folder)
    printed = [follow(checkout, *command) for command in COMMANDS]
    assert [command[0] for command in COMMANDS].count(".venv/bin/snakemake") == 2 and len(printed) == 5
    assert "my-captions can start" in printed[1] and "described - titles: from" in printed[1]
    with open(checkout.folder / "results/my-captions/summary/summary.contrasts.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["contrast"] == "described - titles"]
    assert {row["verdict"] for row in rows} & set(VERDICTS), rows[:1]
    assert "untrained" in printed[-1].lower() and "self" in printed[-1]  # what captions are compared with first
    assert "described" in printed[-1] and "results/my-captions/report/index.html" in printed[-1]


def test_the_second_question_of_the_tutorial_can_be_asked() -> None:
    text = TEXT.replace("seeds: [0]} # plain", "seeds: [0, 1, 2]} # plain").replace("  # - {name", "  - {name")
    found = powers(planned(change=yaml.safe_load(text)))
    assert [(power.name, power.reason) for power in found] == [("described - titles", ""), ("described - self", "")]


def test_pages_for_newcomers_say_that_a_verdict_needs_labelled_photos() -> None:
    pages = [ROOT / name for name in ("README.md", "docs/tutorial.md", "docs/faq.md")]
    assert all("your-own-data.md#labelled-photos" in page.read_text() for page in pages)


def follow(checkout: Checkout, program: str, *words: str) -> str:
    """What a command of the tutorial prints; it must succeed."""
    if program == ".venv/bin/snakemake":
        status, printed = checkout.run(*words)
        assert status == 0, printed[-3000:]
        return printed
    python = {".venv/bin/python": [], ".venv/bin/faithful-pairs": ["-m", "workflow_scripts.commands"]}[program]
    command = [*as_user(), sys.executable, *python, *words]
    done = subprocess.run(
        command, cwd=checkout.folder, env=checkout.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
