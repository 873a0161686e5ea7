"""WebDataset tars: captions and places of images; nothing is unpacked."""

import gzip
import json
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from tests.acquisition.own_images import pictures, read, shown
from tests.acquisition.pictures import jpeg
from tests.file_bytes import write_tar
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import derived_id


def test_samples_of_a_webdataset_have_the_expected_values(tmp_path: Path) -> None:
    images = [jpeg(40, 30, seed=seed) for seed in range(4)]
    folder = tmp_path / "shards"
    described = {"caption": "from json", "group": "Dogs", "id": 5, "url": "http://a.test/1.jpg", "image": "../x"}
    write_tar(
        folder / "01.tar",
        {
            "x/000.jpg": images[0],
            "x/000.txt": "a cat\n",
            "x/000.json": json.dumps({"caption": "not used"}),
            "x/000.cls": "3",
            "x/001.json": json.dumps(described),
            "x/001.seg.png": b"a mask",
            "x/001.png": images[1],
            "../002.jpg": images[2],
            "../002.txt": "its name is no path",
            "003.txt": "no image",
            "004.jpg": images[3],
            "005.jpg": images[3],
            "005.json": "{",
            "006.jpg": images[3],
            "006.txt": b"\xff",
            "007.jpg": images[3],
            "007.txt": "x" * (2 << 20),
        },
    )
    write_tar(folder / "00.tar", {"000.jpg": images[3], "000.txt": "first shard"})
    samples = read(folder)
    assert shown(samples) == [
        ("00.tar", "first shard", None),
        ("01.tar", "a cat", None),
        ("01.tar", "from json", None),
        ("01.tar", "its name is no path", None),
        (None, "no image", "no_image"),
        ("01.tar", None, None),
        (None, None, "malformed_row"),
        (None, None, "not_utf8"),
        (None, None, "oversized_row"),
    ]
    assert [one.raw["url"] for one in samples[6:]] == ["01.tar/005", "01.tar/006", "01.tar/007"]
    assert samples[1].raw["image_id"] == derived_id("01.tar/x/000") and samples[2].group == "dogs"
    for sample, data in zip(samples[1:4], images, strict=False):
        assert sample.image is not None and sample.image.sha256 == sha256(data).hexdigest()
        assert sample.image.read(folder, 1 << 20) == data
    assert read(folder, id="id")[2].raw["image_id"] == "5"


def test_a_single_tar_is_read_and_invalid_tars_are_rejected(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"0.jpg": jpeg(), "0.txt": "a cat"})
    (sample,) = read(tar)
    assert sample.image is not None and sample.image.path == "" and sample.image.read(tar, 1 << 20) == jpeg()
    folder = pictures(tmp_path / "own", ["x.jpg"])
    (folder / "0.tar").write_bytes(gzip.compress(tar.read_bytes()))
    with pytest.raises(
        PipelineError, match=r"unreadable WebDataset shard in .*0\.tar: .*; pack that shard again, as an uncomp"
    ):
        read(folder)
    (folder / "0.tar").write_bytes(tar.read_bytes()[:700])
    with pytest.raises(PipelineError, match=r"unreadable WebDataset shard in .*0\.tar"):
        read(folder)
    (folder / "0.tar").write_bytes(tar.read_bytes().rstrip(b"\0") + bytes(512 - len("a cat")))
    with pytest.raises(PipelineError, match=r"0\.tar: no end of the archive: .* at byte \d+; pack that shard again"):
        read(folder)
    (folder / "0.tar").unlink()
    (folder / "0.tar").symlink_to(tar)
    samples = read(folder)
    assert shown(samples) == [(None, None, "bad_path"), ("x.jpg", None, "no_row")]
    assert samples[0].raw == {"url": "0.tar"}


def test_no_tar_of_the_source_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    for number, name in enumerate(("0.tar", "1.TAR")):
        write_tar(folder / name, {f"{number}.jpg": jpeg(), f"{number}.txt": "a cat"})
    assert shown(read(folder)) == [("0.tar", "a cat", None), ("1.TAR", "a cat", None)]
    for name in ("2.tar.gz", "3.TGZ", "sub/0.tar"):
        path = write_tar(folder / name, {"2.jpg": jpeg(), "2.txt": "a cat"})
        with pytest.raises(
            PipelineError, match=rf"unread shards in .*own: 1 compressed .*, the first of them {name}; put"
        ):
            read(folder)
        path.unlink()


def test_samples_with_a_repeated_key_are_two_rows_with_the_same_id(tmp_path: Path) -> None:
    members = (("0.jpg", jpeg(seed=1)), ("0.txt", b"one"), ("0.jpg", jpeg(seed=2)), ("0.txt", b"two"))
    first, second = read(write_tar(tmp_path / "0.tar", members))
    assert (first.raw["caption"], second.raw["caption"]) == ("one", "two")
    assert first.raw["image_id"] == second.raw["image_id"] and first.image != second.image


def test_links_in_tars_are_bad_paths(tmp_path: Path) -> None:
    path = tmp_path / "0.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (("0.jpg", tarfile.REGTYPE), ("1.jpg", tarfile.LNKTYPE), ("2.jpg", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "" if kind == tarfile.REGTYPE else "0.jpg"
            tar.addfile(member)
    samples = read(path)
    assert [one.unfit for one in samples] == [None, "bad_path", "bad_path"]
    assert [one.raw["url"] for one in samples[1:]] == ["/1", "/2"]
