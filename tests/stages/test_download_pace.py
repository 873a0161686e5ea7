"""Shard jobs that run at once share one host's budget: the server's own log shows it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acquisition.fault_server import serving
from tests.acquisition.pictures import jpeg
from tests.stages.acquired import download_settings, planned

RATE, CONNECTIONS, JOBS, ROWS, WINDOW = 40, 4, 4, 320, 5.0


@pytest.mark.slow
def test_four_jobs_together_keep_a_host_s_rate_and_connections(results: Path, tmp_path: Path) -> None:
    pictures = [jpeg(seed=n) for n in range(8)]
    names = [f"p{n:03d}.jpg" for n in range(ROWS)]
    made = planned(results, tmp_path, names, shards=JOBS)
    hosts = {"default": {"rate": RATE, "connections": CONNECTIONS}}
    with serving({f"/{name}": pictures[n % 8] for n, name in enumerate(names)}, delay=lambda path: 0.03) as site:
        settings = json.dumps(download_settings(site.address, hosts=hosts))
        jobs = [
            subprocess.Popen(command(results, shard, made["plan"].manifest_path, settings)) for shard in range(JOBS)
        ]
        assert [job.wait(60) for job in jobs] == [0] * JOBS
    times = sorted(at for at, _, _ in site.log)
    assert len(times) == ROWS
    busiest = max(sum(start <= at < start + WINDOW for at in times) for start in times)
    assert busiest <= 1.1 * RATE * WINDOW
    assert site.most <= CONNECTIONS
    # The budget is used, too. Jobs start one after the other on a busy machine, so the middle of the run is looked at.
    middle = times[ROWS // 8 : -ROWS // 8]
    assert len(middle) / (middle[-1] - middle[0]) > 0.8 * RATE


def command(results: Path, shard: int, plan: Path, settings: str) -> list[str]:
    name = f"{shard:05d}"
    artifact = str(results / "study" / "download" / name)
    module = [sys.executable, "-m", "workflow_scripts.stages.download", "--device", "cpu", "--unit", f"shard={name}"]
    return [*module, "--artifact", artifact, "--input", f"plan={plan}", "--settings", settings]
