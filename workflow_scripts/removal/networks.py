"""Finds exported networks that learned from removed images, by the records of their exports."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.acquisition.annotations.removal_tokens import id_token
from workflow_scripts.core.files.copies import NETWORKS, read_network
from workflow_scripts.core.files.names import COPIES


class Learned(NamedTuple):
    """A network that learned from removed images.

    Attributes:
        record: the file that says so; it may be missing by now.
        folder: where the network was written.
        weights: sha256 of its file of weights.
        keys: of the removed images; empty if the record is missing.
        ids: tokens of these keys.
    """

    record: Path
    folder: Path
    weights: str
    keys: list[str]
    ids: list[str]


def networks_of(
    results: Path, ids: Collection[str], noted: Mapping[str, tuple[str, str, list[str]]]
) -> tuple[list[Learned], list[str]]:
    """Networks of any study that learned from removed images; and the records that can't be read, and why.

    Args:
        ids: tokens of the ids of the removed images.
        noted: networks that were found before, whose record may be missing by now, by record.
    """
    found, unread = [], []
    records = sorted(results.glob(f"*/{COPIES}/*{NETWORKS}"))
    for path in records:
        try:
            network = read_network(path)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors too
            unread.append(f"{path}: {error}")
            continue
        removed = {key: token for key in network.keys if (token := id_token(key)) in ids}
        if removed:
            found.append(Learned(path, network.folder, network.weights, list(removed), sorted(removed.values())))
    missing = {name: network for name, network in noted.items() if results / name not in records}
    for name, (folder, weights, tokens) in sorted(missing.items()):
        if learned := sorted(token for token in tokens if token in ids):
            found.append(Learned(results / name, Path(folder), weights, [], learned))
    return found, unread
