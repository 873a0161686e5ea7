#!/bin/sh
# All benchmarks of what runs on a GPU, in one command; JSON lines. Without a GPU, everything is tried with tiny models.
#
#     tests/bench/gpu.sh [PYTHON]
#
# docs/gpu.md says what to expect, and where to send the lines.
#
# The exit status is 1 if a part fails or misses a target; the others still run.
cd "$(dirname "$0")/../.." || exit 1
python=${1:-python} status=0 small=--small batches=8
"$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' && small='' batches='64 128 512'
for batch in $batches; do
    # shellcheck disable=SC2086
    "$python" -m tests.bench.bench_step --batch "$batch" $small || { echo "failed: step of $batch" >&2; status=1; }
done
# shellcheck disable=SC2086
"$python" -m tests.bench.bench_step --rows step/micro_batches $small || { echo "failed: micro-batches" >&2; status=1; }
for row in recaption embeddings judge knn probe saliency two_processes; do
    "$python" -m tests.bench.bench_gpu --rows $row || { echo "failed: $row" >&2; status=1; }
done
exit $status
