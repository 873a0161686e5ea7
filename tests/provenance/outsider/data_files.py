"""Data files."""

import os
import socket
import stat
from pathlib import Path

from tests.provenance.outsider.tools import entry, first, flip, outside, pair, swap, write, write_through


def flip_last_bit_in_place(study: Path) -> None:
    """The last bit of a table is flipped in place, in the cache's hard link too; size, mode and times are as before."""
    path = first(study, "summary/*.parquet")
    write_through(path, flip(path.read_bytes(), -1))


def sparse_of_equal_size(study: Path) -> None:
    """The images of a shard become a sparse file of zeros with the old size and time."""
    path = first(study, "download/*.tar")
    before = path.stat()
    write(path, b"")
    path.chmod(0o644)
    os.truncate(path, before.st_size)
    path.chmod(stat.S_IMODE(before.st_mode))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncate_to_block(study: Path) -> None:
    """Weights are cut off at the last whole block of 512 bytes, as an unfinished copy leaves them."""
    path = max(study.glob("pretrain/*/*.safetensors"), key=lambda path: path.stat().st_size)
    write(path, path.read_bytes()[: path.stat().st_size // 512 * 512])


def append_newline(study: Path) -> None:
    """An editor added a final newline to a table of numbers."""
    path = first(study, "summary/*.csv")
    write(path, path.read_bytes() + b"\n")


def swap_tables_of_equal_size(study: Path) -> None:
    """The tables of attempts of two shards, equal in size, change places."""
    swap(*pair(study, "download/*.attempts.parquet"))


def empty_small_table(study: Path) -> None:
    """The second, small table of an artifact becomes a file of zero bytes."""
    write(first(study, "annotations/*.apart.parquet"), b"")


def delete_inner_file(study: Path) -> None:
    """One file of an artifact that is a folder is deleted, here and in the cache."""
    path = first(study, "pretrain/*/run.json")
    name = f"pretrain/{path.parent.name}"
    (entry(study, name) / "files" / "_" / "run.json").unlink()
    path.unlink()


def merge_two_files_by_hard_link(study: Path) -> None:
    """A deduplicator links the data of one arm to that of the other."""
    one, other = pair(study, "select_captions/*.parquet")
    other.unlink()
    other.hardlink_to(one)


def data_in_other_case(study: Path) -> None:
    """A file system without case renamed a table's suffix to capitals."""
    path = first(study, "caption_table/*.parquet")
    path.rename(path.with_suffix(".PARQUET"))


def data_with_trailing_space(study: Path) -> None:
    """A table's name ends in a blank now."""
    path = first(study, "shard_plan/*.parquet")
    path.rename(path.with_name(path.name + " "))


def data_is_folder(study: Path) -> None:
    """A folder of a data file's name, holding the file, stands in the place of the file."""
    path = first(study, "image_index/*.json")
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    (path / path.name).write_bytes(content)


def data_is_pipe(study: Path) -> None:
    """A named pipe, which blocks every reader, stands in the place of a data file."""
    path = first(study, "recaption/*.parquet")
    path.unlink()
    os.mkfifo(path)


def data_is_socket(study: Path) -> None:
    """A socket stands in the place of a data file."""
    path = first(study, "linear_probe/*.parquet")
    path.unlink()
    here = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path.name)
    os.fchdir(here)
    os.close(here)


def data_links_to_endless_device(study: Path) -> None:
    """A data file is a link to /dev/zero, which never ends."""
    path = first(study, "summary/*.csv")
    path.unlink()
    path.symlink_to("/dev/zero")


def data_dangling_link(study: Path) -> None:
    """A data file is a link to something that is not there."""
    path = first(study, "select_captions/*.json")
    path.unlink()
    path.symlink_to("gone.json")


def data_links_outside(study: Path) -> None:
    """A table was moved out of the results and a link put in its place, so anybody may change it there."""
    path = first(study, "summary/*.parquet")
    target = outside(study) / path.name
    path.rename(target)
    path.symlink_to(target)


def data_links_to_itself(study: Path) -> None:
    """A data file is a link to itself."""
    path = first(study, "report/*.html")
    path.unlink()
    path.symlink_to(path.name)
