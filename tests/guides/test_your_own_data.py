"""docs/your-own-data.md, followed step by step: its files and commands as they stand there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT
from tests.workflow.checkout import Checkout, give_to_user
from workflow_scripts.acquisition.annotations.formats.columns import USUAL
from workflow_scripts.acquisition.annotations.rows import Apart

GUIDE = (ROOT / "docs/your-own-data.md").read_text()
FILES = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE))
COMMANDS = [shlex.split(line) for line in re.findall(r"^```bash\n(.*?)\n```$", GUIDE, re.DOTALL | re.MULTILINE)]


def test_the_guide_names_every_state_and_usual_column() -> None:
    states = GUIDE[GUIDE.index("## States") :]
    assert not [reason for reason in Apart if f"`{reason}`" not in states]
    assert "\n### Labelled photos\n" in GUIDE, "warnings lead there"
    formats = GUIDE[GUIDE.index("## Formats") :]
    assert not [name for names in USUAL.values() for name in names if f"`{name}`" not in formats]


@pytest.mark.slow
def test_the_guide_runs_up_to_the_data_card(open_folder: Path) -> None:
    checkout = Checkout(open_folder / "guide")
    for name, content in FILES.items():
        (checkout.folder / name).write_text(content)
    subprocess.run([sys.executable, "make_example.py"], cwd=checkout.folder, check=True)
    give_to_user(checkout.folder)
    look, read, everything = (command[1:] for command in COMMANDS)
    assert [command[0] for command in COMMANDS] == [".venv/bin/snakemake"] * 3 and everything == look[3:]
    status, printed = checkout.run(*look)
    assert status == 0 and "warning: " not in printed and "error: " not in printed, printed[-3000:]
    status, printed = checkout.run(*read)
    assert status == 0, printed[-3000:]
    results = checkout.folder / "results/my-study"
    card = json.loads((results / "data_card/data_card.json").read_bytes())
    assert card["rows"] == 80 and card["states"] == {"ok": 80}
    rows = pq.read_table(results / "annotations/rows.parquet").to_pylist()
    assert {row["caption"] for row in rows} >= {"a red square on a grey wall, picture 0"}
    # Step 5 adds an image, here one without a row; and a row is without an image.
    images = checkout.folder / "data/my-images"
    (images / "more.png").write_bytes((images / "0079.png").read_bytes())
    with open(images / "captions.csv", "a") as stream:
        stream.write("0080,0080.png,no image yet\n")
    status, printed = checkout.run(*read)
    card = json.loads((results / "data_card/data_card.json").read_bytes())
    assert status == 0 and card["states"] == {"ok": 80, "no_image": 1, "no_row": 1}, printed[-3000:]
    assert "81 rows, 80 images; 1 file missing, 1 image without a row: results/my-study/data_card/" in printed
    assert "0080,0080.png" in (results / "data_card/data_card.lost_rows.csv").read_text().replace('"', "")
