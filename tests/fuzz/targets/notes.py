"""What the workflow notes in a results folder for itself, and what of it somebody edited."""

import random
from pathlib import Path
from typing import Any

from tests.fuzz.mutate import json_text, mutate_bytes, mutate_tree
from tests.fuzz.target import Files, Target
from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.record import Record as Line
from workflow_scripts.acquisition.store.record import from_line, to_line, url_of
from workflow_scripts.core.code_equivalence import accepted, counted_code
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.notes import sealed
from workflow_scripts.core.sources import listing
from workflow_scripts.study.active_config import noted_artifacts

ACCEPTED = {"stage": "pretrain", "code": "a" * 64, "counts_as": "b" * 64, "reason": "x", "when": "2026-03-01T08:00:00Z"}
NOTES: dict[str, Any] = {
    ".accepted.json": {"accepted": [ACCEPTED]},
    ".configs/study.json": {"configfiles": ["config.yaml"], "config": {"a": 1}, "artifacts": ["report/index"]},
}
ASKED = {"attempt": 1, "state": "ok", "read": 7}
LINE = Line("http://a.test/1.jpg", State.OK, 200, [ASKED], offset=5, size=7, sha256="c" * 64)


class Fuzzed(Target):
    """Acceptances, config notes, hashes of sources seen before, and lines of the download store."""

    def make(self, rng: random.Random) -> Files:
        """All notes, one or two of them changed."""
        files = {name: pretty(sealed(content)) for name, content in NOTES.items()}
        for name in rng.sample(list(files), rng.choice((1, 1, 2))):
            files[name] = _edited(NOTES[name], files[name], rng)
        line = to_line(LINE)
        fields = {**vars(LINE), "state": "ok"}
        changed = json_text(mutate_tree(fields, rng), rng) + b"\n"
        return {**files, "line": rng.choice((line, changed, mutate_bytes(line, rng))), "source/file": b"x"}

    def run(self, folder: Path) -> str:
        """Read each as its readers do."""
        line = (folder / "line").read_bytes()
        url_of(line)
        from_line(line)
        listing(folder / "source", folder)
        for memory in (folder / ".cache" / ".stat").glob("*"):
            memory.write_bytes(line)
        listing(folder / "source", folder)
        refused = 0
        for read in (lambda: accepted(folder), lambda: counted_code("pretrain", folder), lambda: _noted(folder)):
            try:
                read()
            except PipelineError:
                refused += 1
        return "refused" if refused else "accepted"


def _noted(folder: Path) -> None:
    noted_artifacts(folder, "study")


def _edited(tree: Any, data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return mutate_bytes(data, rng)
    changed = mutate_tree(tree, rng) if rng.random() < 0.9 else tree
    if isinstance(changed, dict):
        try:
            return pretty(sealed(changed))
        except (ValueError, TypeError, RecursionError):
            pass
    return json_text(changed, rng)
