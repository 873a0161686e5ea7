"""URLs of images that lie in the source, and their bytes, verified when they are read."""

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.acquisition.annotations.local_image import LocalImage, parse_local
from workflow_scripts.acquisition.annotations.rows import Apart, read_row
from workflow_scripts.core.errors import PipelineError

PATHS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(PATHS, st.integers(0, 1 << 40), st.none() | st.integers(0, 1 << 40))
def test_local_image_urls_round_trip(path: str, offset: int, size: int | None) -> None:
    image = LocalImage("ab" * 32, path, 0 if size is None else offset, size)
    assert parse_local(image.url) == image
    assert image.url.isascii() and not any(sign.isspace() for sign in image.url)


def test_other_urls_are_not_parsed_as_local_images() -> None:
    for url in ("http://a.test/x.jpg", "local:abc/x", "local:" + "0" * 63 + "g/x", "file:///etc/passwd", ""):
        assert parse_local(url) is None


def test_an_annotation_with_a_local_url_is_rejected() -> None:
    url = LocalImage("ab" * 32, "../../etc/passwd").url
    assert read_row({"image_id": "a", "url": url, "caption": "x"}, "all", 0)[1] is Apart.BAD_URL


def test_bytes_are_verified(tmp_path: Path) -> None:
    (tmp_path / "a b.jpg").write_bytes(b"0123456789")
    whole = LocalImage(sha256(b"0123456789").hexdigest(), "a b.jpg")
    part = LocalImage(sha256(b"345").hexdigest(), "a b.jpg", 3, 3)
    assert whole.read(tmp_path, 10) == b"0123456789" and whole.read(tmp_path, 9) is None
    assert part.read(tmp_path, 10) == b"345"
    assert LocalImage(part.sha256, "", 3, 3).read(tmp_path / "a b.jpg", 10) == b"345"
    (tmp_path / "a b.jpg").write_bytes(b"0123456780")
    with pytest.raises(PipelineError, match=r"image changed since the annotations were read in .*a b\.jpg: local:.*"):
        whole.read(tmp_path, 10)
    (tmp_path / "a b.jpg").unlink()
    with pytest.raises(PipelineError, match=r"unreadable image in .*a b\.jpg: No such file"):
        part.read(tmp_path, 10)
