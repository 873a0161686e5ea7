"""Run Snakemake, and its jobs, by fork servers, as this user: ``python -m tests.forkserver WORDS...``."""

import subprocess
import sys

from tests.forkserver.environment import fork_servers

with fork_servers(user=()) as servers:
    status = subprocess.run([*servers.snakemake, *sys.argv[1:]], check=False).returncode
sys.exit(status)
