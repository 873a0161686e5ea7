"""A byte flipped in the files of the finished small study, one file at a time.

A seeded sample; ``AUDIT_FLIPS=all pytest tests/workflow/test_audit.py`` takes every file.
"""

import os
import random
from collections.abc import Callable

import pytest

from tests.provenance.flips import check_flips, damageable, flip
from tests.provenance.test_manipulations import report
from tests.workflow.checkout import Checkout

pytestmark = pytest.mark.slow
SAMPLE = 10


def test_a_flipped_byte_is_detected_and_hides_no_other_fault(copy_of: Callable[[], Checkout]) -> None:
    results = copy_of().folder / "results"
    assert report(results) == (0, [])
    base = {results / "tiny" / "stray.txt", results / "tiny" / "image_index" / "images.parquet"}
    (results / "tiny" / "stray.txt").write_bytes(b"x")
    flip(results / "tiny" / "image_index" / "images.parquet", 7)
    files = damageable(results)
    if os.environ.get("AUDIT_FLIPS") != "all":
        files = random.Random(3).sample(files, SAMPLE)
    assert check_flips(results, files, base, report) >= SAMPLE - len(base) - 1
