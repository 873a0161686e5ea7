"""One hash for a study."""

import hashlib

from workflow_scripts.core.key import root_hash


def test_the_root_hash_is_that_of_the_sorted_manifest_lines() -> None:
    lines = f"{'1' * 64}  a/x\n{'2' * 64}  b/x\n"
    assert root_hash([("b/x", "2" * 64), ("a/x", "1" * 64)]) == hashlib.sha256(lines.encode()).hexdigest()


def test_the_root_hash_ignores_order_repetition_report_and_crate() -> None:
    plain = root_hash([("a/x", "1" * 64), ("b/x", "2" * 64)])
    assert root_hash([("b/x", "2" * 64), ("a/x", "1" * 64), ("a/x", "1" * 64)]) == plain
    assert root_hash([("a/x", "1" * 64), ("b/x", "2" * 64), ("report/index", "3" * 64), ("crate/c", "4" * 64)]) == plain
