"""Records the scenarios, and looks at the states that a crash may leave of them."""

import io
import itertools
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from unittest import mock

from tests.replay.command_scenarios import command_scenarios
from tests.replay.models import COMPLETE, Replay, State, distinct, posix
from tests.replay.more_scenarios import more_scenarios
from tests.replay.node_scenarios import node_scenarios
from tests.replay.recording import Recorder, Recording, Synced
from tests.replay.scenarios import Scenario, training_scenarios
from tests.replay.store_scenarios import store_scenarios
from tests.replay.training import Truth, light

MEMORY = Path("/dev/shm")  # states are folders of small files; on a disk they would take minutes
DRAWS = 12  # draws of the POSIX model for each distinct state that is wanted; small scenarios have few
UNSYNCED = 300  # draws where a sync is left out, before all states of the other models are looked at


class Crashes:
    """All scenarios, recorded."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        truth = Truth("ab", scratch / "truth")
        self.scenarios = {one.name: one for one in scenarios(truth)}
        self.recordings = {name: self._record(one) for name, one in self.scenarios.items()}
        self._known: dict[tuple[str, bytes], list[str]] = {}

    def _record(self, scenario: Scenario) -> Recording:
        root = self._scratch / "recorded"
        root.mkdir()
        scenario.before(root)
        recorder = Recorder(root)
        with recorder.recording() as recording:
            scenario.act(root, recorder.say)
        shutil.rmtree(root)
        return recording

    def faults(self, name: str, state: State) -> list[str]:
        """What is wrong in a state of a scenario, before and after running again.

        The models share many states; each is looked at once.
        """
        place = name, state.digest()
        if place not in self._known:
            self._known[place] = self._look(name, state)
        return self._known[place]

    def _look(self, name: str, state: State) -> list[str]:
        root = self._scratch / "crashed"
        root.mkdir()
        try:
            state.write(root)
            return self.scenarios[name].faults(root, state.facts)
        except Exception as error:  # noqa: BLE001 - a program that can't go on is a fault too
            return [repr(error)]
        finally:
            shutil.rmtree(root)

    def states(self, name: str, model: str, wanted: int, seed: int, most: int | None = None) -> Iterator[State]:
        """All states of a model, or a sample of ``most``; of ``posix`` a sample of ``wanted`` at most."""
        random_ = random.Random(f"{seed} {name} {model}")
        if model in COMPLETE:
            states = distinct(COMPLETE[model](Replay(self.recordings[name])))
            if most is None:
                return states
            every = list(states)
            return iter(random_.sample(every, min(most, len(every))))
        drawn = itertools.islice(posix(Replay(self.recordings[name]), random_), wanted * DRAWS)
        return itertools.islice(distinct(drawn), wanted)

    def without(self, site: str, seed: int) -> tuple[str, str, list[str]] | None:
        """A scenario and model that fail, and how, when nothing is synced at ``site``; None when none does."""
        using = {name: one for name, one in self.recordings.items() if site in one.sites()}
        for model, name in itertools.product(("posix", *COMPLETE), using):
            operations = using[name].operations
            first = next(i for i, one in enumerate(operations) if isinstance(one, Synced) and one.site == site)
            replay = Replay(using[name].without(site))
            sample = itertools.islice(posix(replay, random.Random(seed), first), UNSYNCED)
            for state in distinct(sample if model == "posix" else COMPLETE[model](replay)):
                found = self.faults(name, state)
                if found:
                    return name, model, found
        return None


def scenarios(truth: Truth) -> list[Scenario]:
    """All of them."""
    of_jobs = [*training_scenarios(truth), *store_scenarios(), *node_scenarios()]
    return [*of_jobs, *more_scenarios(truth), *command_scenarios()]


@contextmanager
def recorded() -> Iterator[Crashes]:
    """The scenarios, with a scratch folder in memory where there is one; what stages log is dropped."""
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as scratch,
        mock.patch("logging.Logger.isEnabledFor", lambda *_: False),
        redirect_stderr(io.StringIO()),
        light(),
    ):
        yield Crashes(Path(scratch))


def main(wanted: int, seed: int) -> int:
    """Look at all states of all scenarios, print their numbers by model, and give the number of faults."""
    total = dict.fromkeys((*COMPLETE, "posix"), 0)
    wrong = 0
    with recorded() as crashes:
        for name in crashes.scenarios:
            counts = dict.fromkeys(total, 0)
            for model in total:
                for state in crashes.states(name, model, wanted, seed):
                    counts[model] += 1
                    found = crashes.faults(name, state)
                    wrong += bool(found)
                    if found:
                        sys.stdout.write(f"{name}, {model}: {found}\n")
                total[model] += counts[model]
            sys.stdout.write(f"{name}: {counts}\n")
            sys.stdout.flush()
    sys.stdout.write(f"all: {total}, {sum(total.values())} states, {wrong} with a fault\n")
    return wrong
