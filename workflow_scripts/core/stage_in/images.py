"""Images that are read from copies on the node, and from the shared file system where there is no usable copy."""

import errno
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import Encoded, TarImages

log = logging.getLogger(__name__)
OF_PROCESS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # these say nothing about the file


class StagedImages(TarImages):
    """The same images as those of ``images``, whatever happens to the copies.

    Args:
        images: on the shared file system.
        copies: number of a tar -> its copy.
        lost: file to which each process that gives up a copy appends a line of JSON: the tar, and the reason.

    Images are verified when they are read, from whichever file. A copy that can't be read, or that is
    damaged, is not used any more and removed.
    """

    def __init__(self, images: TarImages, copies: Mapping[int, Path], lost: Path) -> None:
        self.copies, self.lost = dict(copies), lost
        super().__init__(images.tars, images.tar, images.offset, images.size, images.sha256)

    def _start(self) -> None:
        super()._start()
        nearest = [self.copies.get(number, tar) for number, tar in enumerate(self.tars)]
        # A local disk that fails is not waited for.
        self._near = TarImages(nearest, self.tar, self.offset, self.size, self.sha256, waits=())
        self._used = set(self.copies)

    def bytes(self, row: int) -> Encoded:
        """The encoded image of ``row``; see :meth:`TarImages.bytes`."""
        which = int(self.tar[row])
        if which in self._used:
            try:
                return self._near.bytes(row)
            except (OSError, PipelineError) as error:
                if isinstance(error, OSError) and error.errno in OF_PROCESS:
                    raise
                self._give_up(which, error)
        return super().bytes(row)

    def _give_up(self, which: int, error: OSError | PipelineError) -> None:
        with self._lock:
            if which not in self._used:
                return
            self._used.remove(which)
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else error.what
        log.warning("%s in %s; reading %s instead", reason, self.copies[which], self.tars[which])
        with suppress(OSError):
            self.copies[which].unlink(missing_ok=True)
        with suppress(OSError), open(self.lost, "a") as file:
            file.write(json.dumps({"file": str(self.tars[which]), "reason": reason}) + "\n")
