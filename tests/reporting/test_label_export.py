"""What the script of a label sheet exports."""

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from workflow_scripts.core.files.names import RATING_COLUMNS
from workflow_scripts.reporting.page import TEMPLATES

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
BROWSER = Path(__file__).with_name("browser.js")


def export(rater: str, answers: dict[str, str]) -> dict[str, Any]:
    words = [str(TEMPLATES / "labels.js"), rater, ",".join(RATING_COLUMNS), json.dumps(answers)]
    done = subprocess.run(["node", str(BROWSER), *words], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_rows_of_an_image_have_the_columns_that_are_read() -> None:
    given = {"i1-a-faithful": "3", "i1-a-specific": 'say "2", or\n1', "i1-b-faithful": "0", "i1-preferred": "a"}
    found = export(" Ann/../B. ", given)
    ((name, text),) = found["files"]
    assert name == "labels-0a1b-Ann-B-.csv" and not found["warning"]
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    common = {"sheet": "0a1b", "rater": "Ann..B.", "image": "i1"}
    first = {"caption": "a", "faithful": "3", "specific": 'say "2", or\n1', "preferred": "1"}
    second = {"caption": "b", "faithful": "0", "specific": "", "preferred": "0"}
    assert rows == [common | first, common | second]
    assert text.startswith(",".join(RATING_COLUMNS) + "\n")


@pytest.mark.parametrize("rater", ["", " ", "/"])
def test_nothing_is_exported_without_a_name(rater: str) -> None:
    found = export(rater, {"i1-a-faithful": "3"})
    assert found["files"] == [] and found["warning"].startswith("Enter your name or initials")
