"""A folder of images with a text file beside each."""

import os
from pathlib import Path

from tests.acquisition.own_images import pictures, read, shown


def test_captions_are_read_from_text_files_beside_images(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["b.jpg", "a/1.PNG", "a/2.jpg", "a/3.v2.jpg", "c.webp", "d.jpg", "e.jpg"])
    pictures(folder, ["f.jpg", "g.jpg"])
    (folder / "f.TXT").write_text("in capitals")
    (folder / "g.TXT").write_text("of the same name")
    (folder / "g.txt").write_text("seventh")
    (folder / "b.txt").write_text("\ufeffa cat \n on a  mat\n", "utf-8")
    (folder / "a/1.txt").write_text("ein Übermut", "utf-8")
    (folder / "a/3.v2.txt").write_text("third")
    (folder / "c.txt").write_bytes(b"\xff\xfe\x00")
    (folder / "d.txt").write_bytes(b"x" * (2 << 20))
    (folder / "alone.txt").write_text("no image")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "e.txt").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(folder / "pipe.txt")
    samples = read(folder)
    assert shown(samples) == [
        ("a/1.PNG", "ein Übermut", None),
        ("a/2.jpg", "", None),
        ("a/3.v2.jpg", "third", None),
        ("b.jpg", "a cat on a mat", None),
        (None, None, "not_utf8"),
        (None, None, "oversized_row"),
        (None, None, "bad_path"),
        ("f.jpg", "in capitals", None),
        ("g.jpg", "seventh", None),
        (None, None, "no_image"),
        (None, None, "no_image"),
    ]
    assert [one.raw["url"] for one in samples[4:7] + samples[9:]] == ["c.txt", "d.txt", "e.txt", "alone.txt", "g.TXT"]
