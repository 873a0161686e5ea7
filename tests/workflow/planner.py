"""Plans many commands in one process: starting Snakemake takes twenty times as long as planning the small study.

Run in a checkout. Each line read is a JSON list of words for Snakemake. Each line written is the plan: exit status, the
jobs (``<stage>/<unit>``) and those of them that are called stale.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Plan = tuple[int, list[str], list[str]]


class Planner:
    """A process that plans commands in a checkout, by the checkout's own code."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self._log = open(folder / "planner.txt", "w")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def ask(self, *words: str) -> None:
        """Begin to plan a command; :meth:`answer` gives the plan."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Plan:
        """The plan of the first command that has none yet."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, Path(self._log.name).read_text()[-3000:]
        status, jobs, stale = json.loads(line)
        return status, jobs, stale

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()
        self._log.close()


def remembering(parse: Callable[..., tuple[str, int]]) -> Callable[..., tuple[str, int]]:
    """Snakemake's parser, which parses each version of a file once."""
    known: dict[tuple[str, int, int], tuple[str, dict[int, int], int]] = {}

    def parsed(file: Any, workflow: Any, linemap: dict[int, int], rulecount: int = 0) -> tuple[str, int]:
        path = file.get_path_or_uri(secret_free=True)
        version = (path, os.stat(path).st_mtime_ns, rulecount)
        if version not in known:
            text, count = parse(file, workflow, linemap=linemap, rulecount=rulecount)
            known[version] = (text, dict(linemap), count)
        text, lines, count = known[version]
        linemap.update(lines)
        return text, count

    return parsed


def versions(folder: Path) -> list[tuple[str, int, int]]:
    """Path, size and time of every file below a folder, all that the digest of a stage's code depends on."""
    paths = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
    return sorted((path, status.st_size, status.st_mtime_ns) for path in paths for status in [os.stat(path)])


def main() -> None:
    """Answer until the input ends."""
    import snakemake.cli
    import snakemake.workflow

    from workflow_scripts.core import digest, pinned_code
    from workflow_scripts.study.freshness import Freshness

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Snakemake's own words
    caught: list[Any] = []

    def tell(self: Freshness, jobs: list[Any], dry_run: bool) -> None:
        names = [f"{job.stage}/{'.'.join(job.unit.values())}" for job in jobs]
        stale = [name for name, job in zip(names, jobs, strict=True) if not self.reasons.keys().isdisjoint(job.outputs)]
        caught[:] = [sorted(names), sorted(stale)]

    Freshness.tell = tell  # type: ignore[method-assign]
    snakemake.workflow.parse = remembering(snakemake.workflow.parse)
    parsed: dict[tuple[Path, int], Any] = {}
    parse = digest._module.__wrapped__

    def module(path: Path) -> Any:
        version = (path, path.stat().st_mtime_ns)
        if version not in parsed:
            parsed[version] = parse(path)
        return parsed[version]

    digest._module = module  # type: ignore[assignment]
    digest.pin_members = lambda *_: None  # this process goes on with the members that it has
    code: list[tuple[str, int, int]] = []
    for line in sys.stdin:
        if code != (code := versions(digest.ROOT / digest.PACKAGE)):
            digest.code_digest.cache_clear()
            digest._data.clear()
            for version in [version for version, read in parsed.items() if read.members]:  # a member may be new
                del parsed[version]
            pinned_code._sources.clear()
        caught[:] = [[], []]
        status = 0
        try:
            snakemake.cli.main(["-n", "--quiet", "all", "--profile", "profiles/demo", *json.loads(line)])
        except SystemExit as end:
            status = int(end.code or 0)
        answers.write(json.dumps([status, *caught]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
