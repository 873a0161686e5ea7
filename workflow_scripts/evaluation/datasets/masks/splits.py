"""Splits of sets that are published with a training and a validation part, or with one part alone."""

from collections.abc import Sequence

from workflow_scripts.evaluation.datasets.splits import Entry


def with_official_splits(entries: Sequence[Entry]) -> list[Entry]:
    """Entries of which validation images are the test split if there is no other one.

    Without a training part, or with it alone, all are ``train``, to be split later.
    """
    splits = {one.split for one in entries}
    if {"train", "test"} <= splits:
        return list(entries)
    if splits == {"train", "val"}:
        return [one._replace(split="test") if one.split == "val" else one for one in entries]
    return [one._replace(split="train") for one in entries]
