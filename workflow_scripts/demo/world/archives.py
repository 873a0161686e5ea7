"""Zip and tar files whose bytes depend on their members alone."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can state


def write_zip(path: Path, members: Mapping[str, bytes], compress: bool = False) -> None:
    """Members in the given order, all with one fixed time; stored as they are unless `compress`."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)


def write_tar(path: Path, members: Mapping[str, bytes]) -> None:
    """Members in the given order, without owner and time."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
