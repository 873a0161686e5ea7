"""A folder of images, each with its caption in a text file of the same name: ``a/1.jpg`` and ``a/1.txt``."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from workflow_scripts.acquisition.annotations.formats.files import SourceFiles, is_image_name
from workflow_scripts.acquisition.annotations.formats.sample import Sample, image_sample
from workflow_scripts.acquisition.annotations.json_reader import LARGEST_ROW, Oversized
from workflow_scripts.acquisition.annotations.rows import Apart


def sidecar_samples(files: SourceFiles) -> Iterator[Sample]:
    """A sample for each image, in order of paths, then one for each text file without an image."""
    names = files.names()
    texts = {name for name in names if name.lower().endswith(".txt")}
    stems = set()
    for name in names:
        if is_image_name(name):
            stem = str(PurePosixPath(name).with_suffix(""))
            stems.add(stem)
            caption = text_of(files, f"{stem}.txt") if f"{stem}.txt" in texts else ""
            if isinstance(caption, str):
                yield image_sample(name, caption, files)
            else:
                yield unreadable(f"{stem}.txt", caption)
    for name in sorted(text for text in texts if text[: -len(".txt")] not in stems):
        yield Sample({"url": name}, unfit=Apart.NO_IMAGE)


def unreadable(place: str, text: Oversized | None) -> Sample:
    """The sample of a text that is too long or not UTF-8. Its url is ``place``, so that it can be found."""
    return Sample({"url": place}, unfit=Apart.MALFORMED_ROW if text is None else Apart.OVERSIZED_ROW)


def text_of(files: SourceFiles, name: str) -> str | Oversized | None:
    """A text file's content, line breaks as spaces; None if it is not UTF-8 or is behind a link out of the source."""
    if not files.is_inside(name):
        return None
    with open(files.source / name, "rb") as stream:
        data = stream.read(LARGEST_ROW + 1)
    return one_line_text(data)


def one_line_text(data: bytes) -> str | Oversized | None:
    """A caption file's text, line breaks as spaces; None if it is not UTF-8."""
    if len(data) > LARGEST_ROW:
        return Oversized()
    try:
        return " ".join(data.decode("utf-8-sig").split())
    except UnicodeDecodeError:
        return None
