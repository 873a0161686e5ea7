"""Copies the files of images to the node where they are read."""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.shards import TarImages, manifest_of
from workflow_scripts.core.stage_in.copying import LocalError, Unlike, Wanted
from workflow_scripts.core.stage_in.images import StagedImages
from workflow_scripts.core.stage_in.store import LocalStore, NoRoom

log = logging.getLogger(__name__)
OWN = "faithful-pairs-"  # start of the names of users' folders for copies


@dataclass
class Report:
    """What a process staged in.

    Attributes:
        files: copies that it uses.
        bytes: their size.
        copied: bytes that it copied itself; others were there.
        seconds: that this took, waiting for other processes included.
        on_shared: number of files that are read from the shared file system, by reason.
    """

    files: int = 0
    bytes: int = 0
    copied: int = 0
    seconds: float = 0.0
    on_shared: Counter[str] = field(default_factory=Counter)


def own_folder(folder: str) -> Path | None:
    """This user's folder for copies in ``folder``, with the job's variables; None if that is no absolute path, as
    where one of them is not set or empty."""
    place = os.path.expandvars(folder)
    return None if "$" in place or not os.path.isabs(place) else Path(place, f"{OWN}{os.getuid()}")


@contextmanager
def staged(
    images: TarImages, folder: str, most: int, lost: Path, stop: Callable[[], None]
) -> Iterator[tuple[TarImages, Report]]:
    """The same images, read from copies on this node as far as there is room; they are locked during the block.

    Args:
        images: on a shared file system.
        folder: on a disk of the node, or in its memory; may contain variables such as ``$TMPDIR``.
        most: bytes of all copies in it.
        lost: see :class:`StagedImages`.
        stop: called while waiting and copying; raises to end that.

    Raises:
        PipelineError: a tar is missing, or its manifest is damaged.
        OSError: a tar can't be read.
    """
    start, report = time.monotonic(), Report()
    place = own_folder(folder)
    if place is None:
        log.warning("%s is no absolute path on this node; reading from the shared file system", folder)
        report.on_shared["folder"] = len(images.tars)
        yield images, report
        return
    store = LocalStore(place, most, stop)
    try:
        copies = _copies(images, store, report)
        report.seconds = round(time.monotonic() - start, 3)
        others = ", ".join(f"{reason} {count}" for reason, count in report.on_shared.items())
        log.info("%d files are read from %s; from the shared file system: %s", report.files, place, others or "none")
        yield StagedImages(images, copies, lost), report
    finally:
        store.close()


def _copies(images: TarImages, store: LocalStore, report: Report) -> dict[int, Path]:
    """Number of a tar -> its copy. Those that exist are locked first, so that making room does not remove them."""
    wanted = {number: _wanted(tar) for number, tar in enumerate(images.tars)}
    try:
        store.open()
        found = store.present(wanted)
    except LocalError as error:
        log.warning("%s; reading from the shared file system", error)
        report.on_shared["folder"] = len(wanted)
        return {}
    for number in sorted(wanted.keys() - found.keys()):
        one = wanted[number]
        try:
            found[number], made = store.get(one)
            report.copied += one.bytes * made
        except NoRoom:
            report.on_shared["no_room"] += 1
        except Unlike:  # whoever reads a damaged image of it reports that
            report.on_shared["damaged"] += 1
        except LocalError as error:
            log.warning("%s; reading %s instead of a copy", error, one.path)
            report.on_shared["local_disk"] += 1
    report.files, report.bytes = len(found), sum(wanted[number].bytes for number in found)
    return found


def _wanted(tar: Path) -> Wanted:
    manifest = manifest_of(tar)
    recorded = Artifact(manifest).manifest["files"][tar.suffix]
    return Wanted(tar, manifest, tar.suffix, recorded["sha256"], recorded["bytes"])
