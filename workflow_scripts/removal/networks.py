"""Finds exported networks that learned from removed images, by the records of their exports."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.acquisition.annotations.removal_tokens import id_token
from workflow_scripts.core.files.copies import NETWORKS, read_network
from workflow_scripts.core.files.names import COPIES


class Learned(NamedTuple):
    """A network that learned from removed images.

    Attributes:
        record: the file that says so.
        folder: where the network was written.
        weights: sha256 of its file of weights.
        keys: of the removed images.
    """

    record: Path
    folder: Path
    weights: str
    keys: list[str]


def networks_of(results: Path, ids: Collection[str], tokens: Collection[str]) -> tuple[list[Learned], list[str]]:
    """Networks of any study that learned from removed images; and the records that can't be read, and why.

    Args:
        ids: of the removed images that are still known.
        tokens: of a removal list; those of ids count, also after everything else has been removed.
    """
    found, unread = [], []
    for path in sorted(results.glob(f"*/{COPIES}/*{NETWORKS}")):
        try:
            network = read_network(path)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors too
            unread.append(f"{path}: {error}")
            continue
        removed = [key for key in network.keys if key in ids or id_token(key) in tokens]
        if removed:
            found.append(Learned(path, network.folder, network.weights, removed))
    return found, unread
