"""Run Snakemake, and its jobs, by fork servers, as this user: ``python -m tests.forkserver WORDS...``."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.forkserver.environment import ForkServers

with tempfile.TemporaryDirectory(prefix="fork-") as folder:
    servers = ForkServers(Path(folder), user=())
    status = subprocess.run([*servers.snakemake, *sys.argv[1:]], check=False).returncode
    servers.close()
sys.exit(status)
