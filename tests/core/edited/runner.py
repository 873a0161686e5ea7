"""Runs the stage of the project in the working directory, and edits files when Python reports certain events.

``python runner.py EDITS WORD...``: EDITS is a JSON list of :class:`Edit`. The events are those of ``sys.audit``: opened
files, imports, ``wait`` (for a lock or a GPU), and moments that the stage names itself.
"""

import fcntl
import json
import os
import runpy
import socket
import sys
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple


class Edit(NamedTuple):
    """What is done to a file at an event.

    Attributes:
        event: its name.
        about: what one of its arguments contains.
        file: which is edited.
        old: text in it; empty: the file is added.
        new: text in its place; empty: the file is removed. Its size and times stay the same where they can.
    """

    event: str
    about: str
    file: str
    old: str
    new: str

    def make(self) -> None:
        """Edit the file."""
        path = Path(self.file)
        if not self.old:
            path.write_text(self.new)
        elif not self.new:
            path.unlink()
        else:
            text, status = path.read_text(), path.stat()
            assert self.old in text
            path.write_text(text.replace(self.old, self.new))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def main(edits: list[Edit], words: list[str]) -> None:
    """Run the stage; what it waits for is freed at the moment of the wait, after the edits of that moment."""
    held: list[BinaryIO | socket.socket] = []
    if lock := os.environ.pop("HELD_LOCK", ""):
        Path(lock).parent.mkdir(parents=True, exist_ok=True)
        held.append(open(lock, "ab"))  # noqa: SIM115 - closed when the job waits for it
        fcntl.flock(held[0], fcntl.LOCK_EX)
    if gpu := os.environ.pop("HELD_GPU", ""):
        held.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        held[0].bind(f"\0faithful-pairs/gpu/{gpu}")  # type: ignore[union-attr]
    waiting = list(edits)

    def hook(event: str, about: tuple[object, ...]) -> None:
        if event == "time.sleep" or (event == "fcntl.flock" and about[1] == fcntl.LOCK_EX):
            event, about = "wait", (event,)
        for edit in waiting[:]:
            if edit.event == event and any(edit.about in str(one) for one in about):
                waiting.remove(edit)
                edit.make()
                sys.stderr.write(f"edited {edit.file}\n")
        if event == "wait" and held:
            held.pop().close()

    sys.addaudithook(hook)
    time.sleep = lambda seconds: sys.audit("time.sleep", seconds)
    sys.path[0] = os.getcwd()
    sys.argv = ["draw", *words]
    runpy.run_module("workflow_scripts.stages.draw", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main([Edit(*one) for one in json.loads(sys.argv[1])], sys.argv[2:])
