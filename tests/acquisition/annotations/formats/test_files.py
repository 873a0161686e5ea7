"""Paths that rows name: whatever they say, nothing outside the source is an image."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.acquisition.own_images import pictures
from workflow_scripts.acquisition.annotations.formats.files import UNKNOWN, SourceFiles
from workflow_scripts.acquisition.annotations.local_image import LocalImage
from workflow_scripts.core.sources import listing


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = pictures(tmp_path / "own", ["a.jpg", "sub/b c.png", "sub/Größe.jpg", ".hidden/x.jpg", ".y.jpg"])
    pictures(tmp_path, ["outside.jpg", "other/z.jpg"])
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "inner.jpg").symlink_to("a.jpg")
    (folder / "way").symlink_to(tmp_path / "other")
    return folder


def files(source: Path, images: str = "", on_disk: bool = False) -> SourceFiles:
    hashes = {entry["path"]: entry["sha256"] for entry in listing(source, source.parent / "results")}
    return SourceFiles(source, None if on_disk else hashes, images)


@pytest.mark.parametrize("on_disk", [False, True])
def test_paths_resolve_to_images_or_to_a_reason(source: Path, on_disk: bool) -> None:
    found = files(source, on_disk=on_disk)
    for name in ("a.jpg", "sub/b c.png", "sub/Größe.jpg", "inner.jpg"):
        image = found.image(name)
        assert isinstance(image, LocalImage) and image.path == name
        assert (image.sha256 == UNKNOWN) == on_disk
    assert found.image("./sub//b c.png") == found.image("sub/b c.png")
    for bad in ("/etc/passwd", "../outside.jpg", "sub/../a.jpg", "link.jpg", "way/z.jpg", "a\0.jpg", "", ".", "//x"):
        assert found.image(bad) == "bad_path", bad
    for nothing in ("b.jpg", "sub", ".hidden/x.jpg", ".y.jpg", "A.jpg", "x" * 300 + ".jpg", "x" * 5000):
        assert found.image(nothing) == "no_image", nothing


def test_paths_start_from_the_folder_of_images(source: Path) -> None:
    found = files(source, "sub/")
    image = found.image("b c.png")
    assert isinstance(image, LocalImage) and image.path == "sub/b c.png"
    assert found.image("a.jpg") == "no_image" and found.image("../a.jpg") == "bad_path"
    assert found.names() == ["sub/Größe.jpg", "sub/b c.png"] and found.unused_images() == ["sub/Größe.jpg"]


@pytest.mark.parametrize("on_disk", [False, True])
def test_all_spellings_of_the_image_folder_are_accepted(source: Path, on_disk: bool) -> None:
    for images, path in (("./sub", "b c.png"), ("sub/.", "b c.png"), (".", "sub/b c.png"), ("./", "sub/b c.png")):
        found = files(source, images, on_disk)
        image = found.image(path)
        assert isinstance(image, LocalImage) and image.path == "sub/b c.png", images
        assert "sub/Größe.jpg" in found.unused_images()
        assert "a.jpg" in found.names(everywhere=True)


def test_a_file_name_that_is_not_utf8_is_a_bad_path(source: Path) -> None:
    (source / os.fsdecode(b"bad\xff.jpg")).write_bytes(b"x")
    assert files(source).listed("bad\\xff.jpg") == "bad_path"


@given(path=st.text(st.sampled_from("a./~\\b\0%é "), max_size=12))
def test_no_path_of_a_row_leads_outside_the_source(path: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    top = tmp_path_factory.getbasetemp() / "hostile"
    pictures(top / "own", ["a", "b/a"])
    (top / "a").write_bytes(b"outside")
    image = files(top / "own").image(path)
    if isinstance(image, LocalImage):
        assert (top / "own") in (top / "own" / image.path).resolve().parents
