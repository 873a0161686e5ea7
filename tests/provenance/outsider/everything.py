"""All of them."""

from collections.abc import Callable
from pathlib import Path

from tests.provenance.functions import functions_of
from tests.provenance.outsider import data_files, exchanged, folders, manifests, records, shared, unrecorded

MANIPULATIONS: list[Callable[[Path], None]] = functions_of(
    data_files, folders, unrecorded, manifests, records, exchanged, shared
)
