#!/usr/bin/env bash
# Snakemake itself as a SLURM job, for login nodes that end long processes. In the top folder of the clone:
#   sbatch profiles/slurm/snakemake.sh [options of snakemake, such as --configfile my-study.yaml]
# It only submits jobs and waits, so it needs little. After its time limit, submit it again: it waits for the jobs that still
# run, and goes on. docs/cluster.md has more.
#SBATCH --job-name=faithful-pairs
#SBATCH --dependency=singleton
#SBATCH --time=7-00:00:00
#SBATCH --cpus-per-task=1
#SBATCH --mem=8G
#SBATCH --output=snakemake-%j.log
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?submit this with sbatch}"
exec .venv/bin/faithful-pairs recover --wait -- .venv/bin/snakemake --profile profiles/slurm "$@"
