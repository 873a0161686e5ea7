"""Only the project's own files are ever deleted, by any command, and no link is followed."""

import errno
import json
import os
import random
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acquisition.fault_server import serving
from tests.removal.test_removal import IMAGES, holders, make
from workflow_scripts.commands.recover import unlock
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.removal.deletion import delete, may_delete
from workflow_scripts.removal.gc import collect, plan
from workflow_scripts.removal.removal import remove_listed

KEY, RANDOM = "5a" * 32, "0f" * 16
SEEDS = 60
# Written here once more, independently: what may go from the folder that holds the results.
OWN = re.compile(
    r"results/study/(?:annotations/rows|shard_plan/plan|download/\d{5}|pretrain/[\w-]+)[./][^/]*"
    r"|results/study/(?:logs/(?:download/\d{5}|pretrain/[\w-]+)\.log|\.crate\.[0-9a-f]{32}\.part(?:\.old)?(?:/.*)?)"
    r"|results/study/(?:crate/(?:Snakefile|ro-crate-metadata\.json|(?:files|manifests)/report/index\.\w+)|(?:(?:labels|copies|pretrain)/)?\.[^/]+\.part)"
    r"|results/\.cache/[a-z_]+/(?:[0-9a-f]{64}|\.discarded-[0-9a-f]{32})/.*|results/\.cache/\.staging/[^/]+/.*"
    r"|results/\.work/[a-z_]+/[0-9a-f]{64}(?:\.lock|/.*)|results/\.fetched/[0-9a-f]{16}-\d(?:\+[0-9a-f]{8})?\.\w+"
    r"|results/\.fetched/\.[0-9a-f]{32}\.\w+|results/\.browse/study/\.?[0-9a-f]{64}(?:\.part)?/.*"
    r"|results/\.slurm/\d+\.log|results/\.[^/]+\.part|\.snakemake/(?:log/[^/]+\.snakemake\.log|locks/\d\.input\.lock)"
)
INSIDE = re.compile(r"results/\.(?:cache|work|browse)/[^/]+/[^/]*[0-9a-f]{32}[^/]*/|results/study/\.crate\.[^/]+/")
FOREIGN = ("notes.txt", "holiday.jpg", "00001.txt", "rows.bak", ".hidden", "half.part", ".x.part", "a b.tar", KEY)
PLACES = (
    "",
    "study",
    "study/photos",
    "study/labels",
    "study/copies",
    "study/notes/deep",
    "study/download",
    "study/logs",
    "study/annotations",
    "study/logs/download",
    "study/pretrain/run-1",
    "study/crate",
    "study/crate/files/report",
    ".work/download",
    ".cache/.staging",
    ".fetched",
    ".fetched/old",
    ".browse",
    ".browse/study",
    ".slurm",
)
LINKS = (
    "study",
    "study/photos",
    "study/download",
    "study/annotations",
    "study/labels",
    "study/copies",
    "study/crate",
    "study/logs",
    "study/logs/download",
    "study/pretrain",
    "study/pretrain/run-1",
    ".cache",
    ".cache/download",
    ".cache/.staging",
    ".work",
    ".work/download",
    ".fetched",
    ".browse",
    ".browse/study",
    ".slurm",
    f".cache/download/{KEY}",
    f".work/download/{KEY}",
    f".cache/download/.discarded-{RANDOM}",
    f"study/.crate.{RANDOM}.part",
    f"study/.crate.{RANDOM}.part.old",
    f".cache/.staging/download-{KEY}-{RANDOM}",
    "../.snakemake",
    "../.snakemake/log",
    "../.snakemake/locks",
)
LEFT = (  # what kills leave, which has the project's names
    f".cache/download/{KEY}/run.json",
    f".cache/download/.discarded-{RANDOM}/files/_.tar",
    f".cache/.staging/download-{KEY}-{RANDOM}/files/_.tar",
    f".work/download/{KEY}/.x.part",
    f".work/download/{KEY}.lock",
    f".browse/study/{KEY}/about.json",
    f".browse/study/.{KEY}.part/index.sqlite",
    f".fetched/.{RANDOM}.bin",
    ".fetched/0123456789abcdef-0.bin",
    ".slurm/12.log",
    f".note.json.{RANDOM}.part",
    f"study/.crate.{RANDOM}.part/page.html",
    f"study/labels/.sheet.html.{RANDOM}.part",
    "study/download/00007.tar",
    "study/pretrain/run-1/last.safetensors",
    f"study/pretrain/.x.{RANDOM}.part",
    "study/logs/download/00001.log",
    "../.snakemake/log/2026-01-01T000000.1.snakemake.log",
    "../.snakemake/locks/0.input.lock",
)
COMMANDS: dict[str, Callable[[Path], object]] = {
    "remove": lambda results: remove_listed(results, "study"),
    "cache-gc": lambda results: collect(results, plan(results, None, 0.0, now=1e11).remove),
    "recover": lambda results: unlock(results.parent),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a study that has just been run without a row, so that much can be removed."""
    top = tmp_path_factory.mktemp("base")
    with serving({f"/{name}.jpg": IMAGES[name] for name in IMAGES}) as site:
        make(top / "results", [], site.address)
        make(top / "results", ["p2"], site.address)
    crate = top / "results/study/crate"
    crate.mkdir()
    for name in ("ro-crate-metadata.json", "Snakefile", "files/report/index.html", "manifests/report/index.json"):
        (crate / name).parent.mkdir(parents=True, exist_ok=True)
        (crate / name).write_text(json.dumps({"stage": "report", "files": {".html": "p2"}}))
    for name in ("study/labels", "study/copies", ".slurm", ".browse/study", "../.snakemake/log"):
        (top / "results" / name).mkdir(parents=True)
    yield top


def state(top: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and link below a folder, which is not followed: mode, and content or target."""
    found = {}
    for folder, folders, names in os.walk(top):
        for path in (Path(folder, name) for name in [*folders, *names]):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                found[path.relative_to(top).as_posix()] = mode, os.fsencode(os.readlink(path))
            elif stat.S_ISREG(mode):
                found[path.relative_to(top).as_posix()] = mode, path.read_bytes()
    return found


def write(path: Path, rng: random.Random) -> None:
    """A file in which any command that looks would find a removed row."""
    if any(one.is_symlink() for one in (path, *path.parents)) or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("p2 http://photos.test/p2.jpg")
    path.chmod(rng.choice([0o644, 0o444, 0o400, 0o600]))
    os.utime(path, (1e9, 1e9))


def link(path: Path, outside: Path, rng: random.Random) -> None:
    """Move what is at ``path`` (or what could be there) outside, and link to it."""
    path = Path(os.path.normpath(path))
    if any(one.is_symlink() for one in (path, *path.parents)):
        return
    target = outside / str(rng.random())
    target.parent.mkdir(exist_ok=True)
    if path.exists():
        shutil.move(path, target)
    else:
        target.mkdir()
        path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target, target_is_directory=True)


def randomly(top: Path, rng: random.Random) -> None:
    """Leftovers, foreign files, links to folders and links to files, at random places."""
    results = top / "results"
    for name in rng.sample(LEFT, rng.randint(4, len(LEFT))):
        write(Path(os.path.normpath(results / name)), rng)
    for _ in range(rng.randint(3, 25)):
        write(results / rng.choice(PLACES) / rng.choice(FOREIGN), rng)
    for name in rng.sample(LINKS, rng.randint(0, 4)):
        link(results / name, top / "outside", rng)
    files = [path for path in results.rglob("*") if path.is_file() and not path.name.endswith((MANIFEST, RUN))]
    for path in rng.sample(files, rng.randint(0, 3)):
        link(path, top / "outside", rng)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_files_of_others_are_never_touched(base: Path, tmp_path: Path, seed: int) -> None:
    rng, top = random.Random(seed), tmp_path / "top"
    shutil.copytree(base, top, symlinks=True)
    randomly(top, rng)
    before = state(top)
    for name in rng.sample(sorted(COMMANDS), len(COMMANDS)):
        try:
            COMMANDS[name](top / "results")
        except PipelineError as error:  # it says what stands in its way
            assert "link" in str(error) or "not a cache entry" in str(error) or "unreadable" in str(error), error
        after = state(top)
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        new = {path for path in changed if path not in before}
        assert all(path.startswith(("results/.removed/", "results/.fetched/", "results/study/crate/")) for path in new)
        wrong = {path for path in changed - new if not OWN.fullmatch(path)}
        assert not wrong, name
        links = {path for path in changed & before.keys() if stat.S_ISLNK(before[path][0])}
        assert all(INSIDE.match(path) for path in links), name  # a link in an entry goes, what it leads to stays


def test_linked_photos_and_user_files_are_kept_and_reported(base: Path, tmp_path: Path) -> None:
    top, photos = tmp_path / "top", tmp_path / "photos"
    shutil.copytree(base, top, symlinks=True)
    study = top / "results/study"
    photos.mkdir()
    mine = [photos / "1.jpg", study / "labels/anna.csv", study / "labels/old.html", study / "notes/a.txt"]
    mine += [study / "copies/mine.txt", study / "download/00001.notes", study / "logs/download/mine.txt"]
    ratings = "sheet,rater,image,caption,faithful,specific,preferred\n"
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ratings if path.name == "anna.csv" else "p2")
        path.chmod(0o444)
    (study / "photos").symlink_to(photos)
    assert remove_listed(top / "results", "study").kept == sorted(
        str(study / name)
        for name in (
            "copies/mine.txt",
            "download/00001.notes",
            "labels/old.html",
            "logs/download/mine.txt",
            "notes",
            "photos",
        )
    )
    assert all(path.exists() and path.stat().st_mode & 0o777 == 0o444 for path in mine)


def test_a_results_folder_that_is_a_link_is_cleaned(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "large", symlinks=True)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/results").symlink_to(tmp_path / "large/results")
    gone = remove_listed(tmp_path / "here/results", "study")
    assert (gone.urls, gone.entries, gone.artifacts, gone.kept) == (1, 3, 1, [])


def test_a_study_that_is_a_link_is_left_and_named(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "top", symlinks=True)
    results = tmp_path / "top/results"
    link(results / "study", tmp_path / "outside", random.Random(0))
    before = state(tmp_path / "outside")
    gone = remove_listed(results, "study")
    assert (gone.urls, gone.entries, gone.artifacts) == (1, 3, 0)
    assert gone.kept == [str(results / "study")]
    assert state(tmp_path / "outside") == before


def test_a_cache_that_is_a_link_is_left_and_named(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "top", symlinks=True)
    results = tmp_path / "top/results"
    link(results / ".cache", tmp_path / "outside", random.Random(0))
    before = state(tmp_path / "outside")
    gone = remove_listed(results, "study")
    assert (gone.entries, gone.kept) == (0, [str(results / ".cache")])
    with pytest.raises(PipelineError, match=r"not a folder in .*\.cache: a link to "):
        plan(results, None, 0.0)
    assert state(tmp_path / "outside") == before


@pytest.mark.parametrize(
    ("name", "own"),
    [
        *[(f"study/download/00001{suffix}", True) for suffix in (".tar", ".attempts.parquet", MANIFEST, RUN)],
        *[(f"study/download/{name}", False) for name in ("00001.old.tar", "photos.tar", "1.tar", "sub/00001.tar")],
        *[(f"study/photos/{name}", False) for name in ("00001.tar", f".x.{RANDOM}.part")],
        ("study/pretrain/run-1/last.safetensors", True),
        ("study/pretrain/run-1/deep/last.safetensors", False),
        (f"study/pretrain/run-1/.x.{RANDOM}.part", True),
        ("study/pretrain/run-1/.x.part", False),
        (f".fetched/{KEY}/0123456789abcdef-3+01234567.bin", True),
        (".fetched/photos-3.bin", False),
        (f".work/pack/{KEY}.lock", True),
        (".work/pack/mine.lock", False),
        (f".cache/pack/{KEY}/mine", False),
        ("study/crate/mine.txt", False),
        ("study/labels/sheet.html", False),
        ("study/labels/anna.csv", False),
        ("../outside/download/00001.tar", False),
        ("study/../study/download/00001.tar", False),
    ],
)
def test_names(tmp_path: Path, name: str, own: bool) -> None:
    path = tmp_path / "results" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert may_delete(tmp_path / "results", path) is own
    assert delete(tmp_path / "results", [path]) == ([path] if own else [])
    assert path.exists() is not own


def test_the_results_folder_may_be_given_by_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for results in (Path("../results"), Path("results"), Path("."), tmp_path / "here/../results"):
        left = results / f".cache/pack/{KEY}/files"
        left.mkdir(parents=True)
        assert delete(results, [left.parent]) == [left.parent] and not left.exists()


def test_files_that_cannot_be_deleted_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = tmp_path / ".cache/pack" / KEY
    entry.mkdir(parents=True)
    (entry / "x").write_bytes(b"")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "x")

    with monkeypatch.context() as refusing:
        refusing.setattr(os, "unlink", refuse)
        with pytest.raises(PermissionError, match=f"{KEY}'"):
            delete(tmp_path, [entry])
    assert delete(tmp_path, [entry]) == [entry]
    assert delete(tmp_path, [entry]) == [], "what others removed is as good as removed"


def test_a_removal_does_not_end_well_while_a_discarded_entry_has_files(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({f"/{name}.jpg": IMAGES[name] for name in IMAGES}) as site:
        make(results, [], site.address)
        make(results, ["p2"], site.address)
    unlink = os.unlink

    def refuse(path: Any, **place: Any) -> None:
        if "dir_fd" in place and ".discarded-" in os.readlink(f"/proc/self/fd/{place['dir_fd']}"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        unlink(path, **place)

    with monkeypatch.context() as refusing:
        refusing.setattr(os, "unlink", refuse)
        with pytest.raises(PermissionError, match=r"\.discarded-"):
            remove_listed(results, "study")
    remove_listed(results, "study")
    assert not list((results / ".cache").glob("*/.discarded-*")) and holders(results, IMAGES["p2"]) == set()
