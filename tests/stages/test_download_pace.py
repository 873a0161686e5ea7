"""Shard jobs that run at once share one host's budget: the server's own log shows it."""

from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.acquisition.fault_server import serving
from tests.acquisition.pictures import jpeg
from tests.stages.acquired import downloaded, planned

FORK = get_context("fork")
RATE, CONNECTIONS, JOBS, ROWS, WINDOW = 40, 4, 4, 320, 5.0


@pytest.mark.slow
def test_four_concurrent_jobs_keep_the_rate_and_connections_of_a_host(results: Path, tmp_path: Path) -> None:
    pictures = [jpeg(seed=n) for n in range(8)]
    names = [f"p{n:03d}.jpg" for n in range(ROWS)]
    made = planned(results, tmp_path, names, shards=JOBS)
    hosts = {"default": {"rate": RATE, "connections": CONNECTIONS}}
    with serving({f"/{name}": pictures[n % 8] for n, name in enumerate(names)}, delay=lambda path: 0.03) as site:
        together = FORK.Barrier(JOBS)

        def work(shard: int) -> None:
            together.wait()
            downloaded(results, made, shard, site.address, workers=1, hosts=hosts)

        jobs = [FORK.Process(target=work, args=(shard,)) for shard in range(JOBS)]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        assert [job.exitcode for job in jobs] == [0] * JOBS
    times = sorted(at for at, _, _ in site.log)
    assert len(times) == ROWS
    busiest = max(sum(start <= at < start + WINDOW for at in times) for start in times)
    assert busiest <= 1.1 * RATE * WINDOW
    assert site.most <= CONNECTIONS
    # The budget is used, too; a busy machine may not use all of it, least of all when the jobs begin and end.
    middle = times[ROWS // 8 : -ROWS // 8]
    assert len(middle) / (middle[-1] - middle[0]) > 0.6 * RATE
