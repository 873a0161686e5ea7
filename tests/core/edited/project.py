"""A small project with the real ``core``: one stage whose result says which versions of its modules ran."""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.core.edited import runner
from workflow_scripts.core.digest import ROOT, canonical_code

SHAPES = "workflow_scripts/shapes"
STAGE = "workflow_scripts/stages/draw.py"
VERSION = "VERSION = 1\n"
FILES = {
    "workflow_scripts/stages/__init__.py": "",
    STAGE: '''"""Writes the version of each module that ran, and what the template says."""

import json
import sys
from pathlib import Path

from workflow_scripts.core.runtime.stage import Stage
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.runtime.stage import Job, run_stage
from workflow_scripts.shapes import early

VERSION = 1
TEMPLATE = Path(__file__).parents[1] / "shapes/template/page.txt"
sys.audit("moment", "loaded")


class Draw(Settings):
    gpus: int = 1
    child: str = ""
    fail: bool = False


def draw(job: Job[Draw]) -> None:
    sys.audit("moment", "begin")
    if job.settings.fail and not (job.work / "failed").exists():
        (job.work / "failed").touch()
        raise OSError(5, "Input/output error")
    from workflow_scripts.shapes import children, late, registry

    found = {"stages.draw": VERSION, "shapes.early": early.VERSION, "shapes.late": late.VERSION}
    found |= {f"shapes.kinds.{kind.name}": kind.version for kind in registry.KINDS.values()}
    found["shapes.child"] = children.version(job.settings.child, job.work)
    found["template"] = int(TEMPLATE.read_text())
    job.file(".json").write_text(json.dumps(found))
    sys.audit("moment", "end")


STAGE = Stage(
    run=draw, settings=Draw, artifact="{unit}", on_device=True, data_files=("workflow_scripts/shapes/template",)
)

if __name__ == "__main__":
    run_stage(STAGE)
''',
    f"{SHAPES}/__init__.py": "",
    f"{SHAPES}/early.py": VERSION,
    f"{SHAPES}/late.py": f'''from workflow_scripts.core.settings import Settings, descriptions

{VERSION}

class Late(Settings):
    number: int = 1
    """A number."""


assert descriptions(Late) == {{"number": "A number."}}
''',
    f"{SHAPES}/child.py": VERSION,
    f"{SHAPES}/children.py": """
import os
import subprocess
import sys
from multiprocessing import Pipe, get_context

from workflow_scripts.core.pinned_code import handed_to_machines


def answer(connection):
    connection.send("ready")
    connection.recv()
    from workflow_scripts.shapes import child

    connection.send(child.VERSION)


def version(kind, work):
    if not kind:
        from workflow_scripts.shapes import child

        return child.VERSION
    if kind in ("command", "other machine"):
        command = [sys.executable, "-m", "workflow_scripts.shapes.worker"]
        environment = os.environ if kind == "command" else os.environ | handed_to_machines(work)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
            process.stdout.readline()
            sys.audit("moment", "waiting")
            return int(process.communicate(b"go")[0])
    ours, theirs = Pipe()
    process = get_context(kind).Process(target=answer, args=(theirs,))
    process.start()
    ours.recv()
    sys.audit("moment", "waiting")
    ours.send("go")
    found = ours.recv()
    process.join()
    return found
""",
    f"{SHAPES}/worker.py": """
import sys

print("ready", flush=True)
sys.stdin.read()
from workflow_scripts.shapes import child

print(child.VERSION)
""",
    f"{SHAPES}/kind.py": """
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    name: str
    version: int
""",
    f"{SHAPES}/registry.py": """
from workflow_scripts.core.registry import discover
from workflow_scripts.shapes.kind import Kind

KINDS = discover("workflow_scripts.shapes.kinds", Kind)
""",
    f"{SHAPES}/kinds/__init__.py": "",
    f"{SHAPES}/kinds/one.py": "from workflow_scripts.shapes.kind import Kind\n\nKIND = Kind('one', version=1)\n",
    f"{SHAPES}/kinds/two.py": "from workflow_scripts.shapes.kind import Kind\n\nKIND = Kind('two', version=1)\n",
    f"{SHAPES}/template/page.txt": "1\n",
}
THREE = f"{SHAPES}/kinds/three.py"
MEMBER = "from workflow_scripts.shapes.kind import Kind\n\nKIND = Kind('three', version=1)\n"
NOT_SHOWN = ("shapes.children", "shapes.worker", "shapes.kind", "shapes.registry")
GPU = "GPU-of-the-tests-of-edited-code"


class Project:
    """The project in a folder, whose jobs edit its files at given moments."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results = folder, folder / "results"
        package = folder / "workflow_scripts"
        shutil.copytree(ROOT / "workflow_scripts/core", package / "core")
        shutil.copyfile(ROOT / "workflow_scripts/__init__.py", package / "__init__.py")
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (folder / "bin").mkdir()
        tool = folder / "bin/nvidia-smi"  # lists a GPU, so that jobs take turns on it
        tool.write_text(f'#!/bin/sh\n[ "$1" = -L ] && echo "GPU 0: T (UUID: {GPU}{os.getpid()})"\n')
        tool.chmod(0o755)
        devices = package / "core/runtime/environment.py"
        text = devices.read_text()
        assert "    reason = no_gpu()" in text
        devices.write_text(text.replace("    reason = no_gpu()", "    reason = None and no_gpu()"))

    def run(
        self,
        edits: Sequence[runner.Edit] = (),
        settings: dict[str, Any] | None = None,
        options: Sequence[str] = ("--device", "cpu"),
        held: dict[str, str] | None = None,
    ) -> tuple[int, str]:
        """Run a job in a process that makes ``edits``; exit status and what it printed.

        Args:
            held: ``HELD_LOCK`` or ``HELD_GPU``: what another holds until the job waits for it.
        """
        words = ["--artifact", "results/study/draw/a", "--unit", "unit=a", "--settings", json.dumps(settings or {})]
        command = [sys.executable, runner.__file__, json.dumps([list(edit) for edit in edits]), *words, *options]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLIPCOVER", "PYTEST_", "PYTHON"))}
        path = f"{self.folder / 'bin'}:{kept['PATH']}"
        environment = {**kept, **(held or {}), "PATH": path}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        made = done.stderr.count("edited ")
        assert made == len(edits) or (done.returncode and made), done.stderr
        return done.returncode, done.stdout + done.stderr

    def record(self, name: str = "a") -> dict[str, Any]:
        """The run record of the artifact; that of the original computation if it was taken from the cache."""
        record = json.loads((self.results / f"study/draw/{name}.run.json").read_bytes())
        return record.get("original", record)

    def ran(self, name: str = "a") -> dict[str, int]:
        """Which version of each module ran, by the artifact's content."""
        return dict(sorted(json.loads((self.results / f"study/draw/{name}.json").read_bytes()).items()))

    def keyed(self, name: str = "a") -> dict[str, int]:
        """Which version of each module is in the artifact's key, by the digests in its run record."""
        record = self.record(name)
        parts = "\n".join(f"{part} {value}" for part, value in record["closure"].items())
        assert record["code"] == hashlib.sha256(parts.encode()).hexdigest()
        found = {}
        for file, text in {**FILES, THREE: MEMBER}.items():
            name = file.removesuffix(".py").replace("/", ".")
            for version in (1, 2):
                edited = text.replace("VERSION = 1", f"VERSION = {version}").replace("version=1", f"version={version}")
                if record["closure"].get(name) == digest_of(edited):
                    found[name.removeprefix("workflow_scripts.")] = version
                if record["closure"].get(file) == hashlib.sha256(f"{version}\n".encode()).hexdigest():
                    found["template"] = version
        return {name: found[name] for name in sorted(found) if name not in NOT_SHOWN}


def digest_of(text: str) -> str:
    """The digest of a module with this text."""
    return hashlib.sha256(canonical_code(ast.parse(text)).encode()).hexdigest()
