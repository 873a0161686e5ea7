"""Vectors computed chunk by chunk into files, so that a killed job resumes where it stopped."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import move_durable
from workflow_scripts.core.inputs import check_unchanged
from workflow_scripts.core.runtime.progress import progress

BATCHES = 32  # per file of finished vectors


def unfinished(rows: int, chunk_rows: int, work: Path) -> list[range]:
    """The rows of each chunk that ``work`` lacks, as :func:`vector_chunks` divides rows 0..n."""
    chunks = (range(start, min(start + chunk_rows, rows)) for start in range(0, rows, chunk_rows))
    return [chunk for chunk in chunks if not _file(work, chunk.start).exists()]


def _file(work: Path, start: int) -> Path:
    return work / f"vectors-{start:010d}.npy"


def vector_chunks(
    rows: int,
    chunk_rows: int,
    work: Path,
    compute: Callable[[int, int], np.ndarray],
    what: str,
    source: Path | None = None,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the vectors of rows 0..n in order, by chunks that do not depend on where a job was stopped.

    Args:
        rows: n, the number of rows.
        chunk_rows: rows per chunk.
        work: folder of finished chunks.
        compute: (start, stop) -> (stop - start, d) float32.
        what: description of the work for the progress line.
        source: the encoder's file or folder, for errors.

    Yields:
        The rows and their (m, d) float32 vectors.

    Raises:
        PipelineError: a vector is not finite: one would spoil the bounds of the search for neighbours of all rows.
    """
    for start in progress(range(0, rows, chunk_rows), -(-rows // chunk_rows), what):
        stop = min(start + chunk_rows, rows)
        path = _file(work, start)
        if not path.exists():
            (work / "vectors.part").unlink(missing_ok=True)  # after a crash it can be a hard link to a finished part
            found = np.ascontiguousarray(compute(start, stop), dtype=np.float32)
            if len(bad := np.flatnonzero(~np.isfinite(found).all(axis=1))):
                value = f"{len(bad)} of rows {start} to {stop - 1}, the first is row {start + bad[0]}"
                advice = "use another encoder or checkpoint, or check its weights"
                raise PipelineError("vectors not finite", source or what, value, advice)
            with open(work / "vectors.part", "wb") as stream:
                np.save(stream, found)
            check_unchanged()
            move_durable(work / "vectors.part", path)
        yield slice(start, stop), np.load(path, allow_pickle=False)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """(n, d) -> float32 rows of length 1; a row of zeros stays zero."""
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return (wide / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
