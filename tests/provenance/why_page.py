"""``docs/generated/why.md``, what ``why`` says of a small study: ``python -m tests.provenance.why_page``."""

import shlex
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.provenance.hand_made import whole_study
from workflow_scripts.commands.why import answer
from workflow_scripts.core.artifact import MANIFEST, RUN

PAGE = ROOT / "docs/generated/why.md"  # not in git
FILES = {
    "annotations": "annotations/rows.parquet",
    "shard": "download/00001.tar",
    "attempts": "download/00000.attempts.parquet",
    "captions": "recaption/00000.parquet",
    "arm": f"select_captions/revised{MANIFEST}",
    "vectors": "embed_captions/revised.minilm.npy",
    "pairs": f"pair_table/original{RUN}",
    "checkpoint": "pretrain/simclr-revised-crop-s0/last.safetensors",
    "probe": "linear_probe/simclr-revised-crop-s0.last.pets.predictions.parquet",
    "report": "report/index.html",
    "log": "logs/image_index/images.log",
}
CELLS = {
    "cell-row": ["summary.parquet", "run=simclr-revised-crop-s0", "dataset=pets", "metric=linear_probe.top5"],
    "cell-two-metrics": ["summary.csv", "run=simclr-original-crop-s1", "dataset=pets"],
    "cell-contrast": ["summary.contrasts.parquet", "contrast=revised - original"],
}
QUESTIONS = {name: [file] for name, file in FILES.items()}
QUESTIONS |= {name: [f"summary/{file}", *columns] for name, (file, *columns) in CELLS.items()}


def page(study: Path) -> str:
    """The page, as Markdown."""
    parts = [
        "# Output of `faithful-pairs why`",
        "For eleven kinds of file and three rows of the summary tables, in a small study made for tests.\n"
        "See [provenance.md](../provenance.md) for what the lines mean.",
    ]
    for file, *columns in QUESTIONS.values():
        words = shlex.join([f"results/study/{file}", *columns])
        text = answer(study / file, dict(column.split("=", 1) for column in columns), "text")
        parts.append(f"## `why {words}`\n```text\n{text}```")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        text = page(whole_study(Path(folder) / "results"))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text)
