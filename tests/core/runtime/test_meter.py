"""What is measured of a job: images, waits, memory and bytes read, over its attempts and processes."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from workflow_scripts.core.runtime import meter
from workflow_scripts.core.runtime.figures import FIGURES, at_once, in_turn, known, share
from workflow_scripts.core.runtime.meter import Usage, current, fed, measured, measuring

CHILD = "import sys; held = b'x' * 50_000_000; open(sys.argv[1], 'rb').read(); print(flush=True); sys.stdin.read()"
FORKING = """
import os, signal
from workflow_scripts.core.runtime.meter import Usage
held, usage = b"x" * 50_000_000, Usage()
usage.sample()
before = usage.figures()["memory_peak_bytes"]
child = os.fork() or (signal.alarm(60), signal.pause())
usage.sample()
os.kill(child, signal.SIGKILL)
print(usage.figures()["memory_peak_bytes"] - before)
"""


def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(meter.time, "monotonic", lambda: now[0])
    return now


def test_waits_and_images_are_those_of_what_is_fed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock(monkeypatch)

    def batches():
        for size in (4, 4, 2):
            now[0] += 1.0  # waiting
            yield [0] * size

    for _ in range(2):  # the second attempt adds to the first
        with measuring(tmp_path, tree=False):
            now[0] += 10.0  # loading a model
            for _batch in fed(batches()):
                now[0] += 3.0  # working
    found = measured(tmp_path)
    assert found["images"] == 20 and found["wait_seconds"] == pytest.approx(6)
    assert found["loop_seconds"] == pytest.approx(24) and found["work_seconds"] == pytest.approx(44)
    assert found["images_per_s"] == pytest.approx(20 / 24) and found["data_wait"] == pytest.approx(0.25)
    assert measured(tmp_path / "none") == {}


def test_processes_of_a_job_count_its_images_once_and_the_longest_wait(tmp_path: Path) -> None:
    one = {"images": 8.0, "loop_seconds": 2.0, "wait_seconds": 1.0, "read_bytes": 5.0, "memory_peak_bytes": 7.0}
    two = {"images": 8.0, "loop_seconds": 2.0, "wait_seconds": 0.5, "read_bytes": 6.0}
    assert at_once([one, two]) == one | {"read_bytes": 11.0, "images_per_s": 4.0, "data_wait": 0.5}
    assert in_turn([one, two])["images"] == 16 and in_turn([one, two])["memory_peak_bytes"] == 7
    assert in_turn([]) == {} and "data_wait" not in in_turn([{"images": 3.0}])


def test_shares_of_jointly_processed_jobs_add_up() -> None:
    whole = in_turn([{"images": 9.0, "loop_seconds": 3.0, "work_seconds": 6.0, "memory_peak_bytes": 5.0}])
    part = share(whole, 3)
    assert part == whole | {"images": 3.0, "loop_seconds": 1.0, "work_seconds": 2.0}
    assert in_turn([part] * 3) == whole


def test_damaged_figures_of_a_record_are_left_out() -> None:
    assert known({"images": 3, "read_bytes": "4", "loop_seconds": -1, "work_seconds": True, "new": 2}) == {"images": 3}
    assert known(None) == known([1]) == {}


def test_every_figure_is_shown_or_needed_by_a_shown_ratio() -> None:
    needed = {name for figure in FIGURES.values() for name in figure.ratio or ()}
    assert all(figure.title or name in needed for name, figure in FIGURES.items())
    assert FIGURES["data_wait"].text(0.256) == "26%" and FIGURES["images_per_s"].text(1234.4) == "1,234"


def test_a_failing_block_leaves_its_figures_and_the_meter_before(tmp_path: Path) -> None:
    before = current()
    with pytest.raises(ValueError, match="broken"), measuring(tmp_path):
        current().count(5)
        raise ValueError("broken")
    assert measured(tmp_path)["images"] == 5 and current() is before


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's /proc")
def test_memory_and_reads_include_those_of_running_and_ended_children(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(os.urandom(1_000_000) * 20)
    usage = Usage()
    usage.sample()
    before = usage.figures()
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    usage.sample()
    with_child = usage.figures()
    assert with_child["memory_peak_bytes"] - before["memory_peak_bytes"] > 50_000_000
    assert 20_000_000 <= with_child["read_bytes"] - before["read_bytes"] < 40_000_000
    later = Usage()  # of a job that has not started the child
    later.sample()
    assert with_child["memory_peak_bytes"] - later.figures()["memory_peak_bytes"] > 50_000_000
    child.communicate()
    usage.sample()
    assert usage.figures()["read_bytes"] - with_child["read_bytes"] < 1_000_000  # counted once, after the child's end
    assert usage.figures()["read_bytes"] >= with_child["read_bytes"]


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs a newer Linux")
def test_memory_that_forked_processes_share_counts_once() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 25_000_000


def test_a_sample_taken_by_another_thread_does_not_disturb_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = Usage(tmp_path)
    usage._read |= {os.getpid(): 10, 1: 5}
    monkeypatch.setattr(Path, "exists", lambda _: usage._read.setdefault(2, 7))  # the sampler finds another process
    assert [usage.figures()["read_bytes"] for _ in range(2)] == [15, 22]


def test_a_torch_that_is_still_being_imported_has_no_gpu_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    assert meter.gpu_peak() is None
