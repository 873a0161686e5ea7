"""Two runs of one study that start at nearly the same time: ``python -m tests.workflow.two_runs [TRIES] [SEED]``.

They start from two clones that share a results folder, or from one clone, with equal or different settings. Prints how
they ended.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.forkserver.environment import fork_servers
from tests.workflow.checkout import NANO, Checkout, as_user, give_to_user
from workflow_scripts.core.artifact import manifest_hash
from workflow_scripts.core.key import root_hash
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.freshness import other_keys
from workflow_scripts.study.units import Units

SETTINGS = ("pairs.k", "pretraining.lr", "evaluation.few_shot.episodes")
LONGEST = 6.0  # seconds between the two starts: a run takes about twice as long


class TwoRuns:
    """Two clones of a finished smallest study, with one results folder.

    Args:
        first: a checkout with the study.
        second: an empty folder for the other clone.
    """

    def __init__(self, first: Checkout, second: Path) -> None:
        self.clones = [first, Checkout(second)]
        self.clones[1].study, self.clones[1].snakemake = first.study, first.snakemake
        (second / "results").rmdir()
        (second / "results").symlink_to(first.folder / "results")
        give_to_user(second)

    def race(self, chance: random.Random, number: int) -> str:
        """Start two runs, and say how they ended.

        Raises:
            AssertionError: the study is of neither config alone, or a run failed for another reason than the other run.
        """
        setting, equal, same_clone = chance.choice(SETTINGS), chance.random() < 0.25, chance.random() < 0.5
        values = [2 * number + 3, 2 * number + (3 if equal else 4)]
        configs = [self._write(f"{number}-{one}.yaml", setting, value) for one, value in enumerate(values)]
        running = []
        for one, config in enumerate(configs):
            clone = self.clones[0 if same_clone else one]
            log = clone.folder / f"terminal-{one}.txt"
            command = ["env", "--default-signal=INT", *as_user(), *clone.snakemake, *NANO, config]
            with open(log, "wb") as stream:
                running.append(
                    (
                        subprocess.Popen(
                            command, cwd=clone.folder, env=clone.environment(), stdout=stream, stderr=stream
                        ),
                        log,
                    )
                )
            time.sleep(chance.uniform(0, LONGEST) if one == 0 else 0)
        ended = [process.wait(timeout=600) for process, _ in running]
        refused = ["study in use" in log.read_text() for _, log in running]
        told = [log.read_text()[-1500:] for _, log in running]
        assert all(status == 0 or was for status, was in zip(ended, refused, strict=True)), told
        stale = [self._stale(config) for config in configs]
        assert not (stale[0] and stale[1]), (setting, stale, told)
        self._check_inputs()
        if equal:
            assert ended == [0, 0], told
            return "equal settings: both ended"
        assert not all(refused), told
        return f"other {setting}: {'one was refused' if any(refused) else 'one after the other'}"

    def _write(self, name: str, setting: str, value: int) -> str:
        values = {
            "pairs.k": {"pairs": [{"name": "revised", "arm": "revised", "encoder": "minilm", "k": value % 20 + 1}]},
            "pretraining.lr": {"pretraining": {"lr": value * 1e-4}},
            "evaluation.few_shot.episodes": {"evaluation": {"few_shot": {"episodes": value + 10}}},
        }
        for clone in self.clones:
            (clone.folder / name).write_text(json.dumps(values[setting]))
        return name

    def _stale(self, config: str) -> dict[str, str]:
        """What a config would make again."""
        folder, study = self.clones[0].folder, self.clones[0].study
        units = Units(load_study(read_config([folder / "config.yaml", folder / NANO[-1], folder / config])))
        labels = [f"{path.parent.name}/{path.name.removesuffix('.manifest.json')}" for path in self._manifests()]
        return other_keys(folder / "results", units, study, labels)

    def _manifests(self) -> list[Path]:
        return sorted((self.clones[0].folder / "results" / self.clones[0].study).glob("*/*.manifest.json"))

    def _check_inputs(self) -> None:
        """Each artifact must be made from those beside it."""
        for path in self._manifests():
            record = json.loads(path.with_name(path.name.replace(".manifest.", ".run.")).read_bytes())
            for name, files in record["input_files"].items():
                hashes = [manifest_hash(self.clones[0].folder / file) for file in files]
                assert not files or hashes == record["inputs"][name], (path, name)

    def root(self) -> str:
        """The hash of the study."""
        labels = {f"{path.parent.name}/{path.name.removesuffix('.manifest.json')}": path for path in self._manifests()}
        return root_hash((label, manifest_hash(path)) for label, path in labels.items())


def main() -> None:
    """Race, and print each kind of end and how often it was."""
    tries, seed = (int(word) for word in [*sys.argv[1:], *("100", "0")[len(sys.argv) - 1 :]])
    chance, ends = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="two-runs-") as name, fork_servers() as servers:
        Path(name).chmod(0o755)
        first = Checkout(Path(name, "first"))
        first.study, first.snakemake = "nano", servers.snakemake
        give_to_user(Path(name))
        first.finish(*NANO)
        runs = TwoRuns(first, Path(name, "second"))
        for number in range(tries):
            ends[runs.race(chance, number)] += 1
            print(number + 1, dict(ends), flush=True)


if __name__ == "__main__":
    main()
