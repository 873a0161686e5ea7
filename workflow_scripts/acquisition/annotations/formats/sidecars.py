"""A folder of images, each with its caption in a text file of the same name: ``a/1.jpg`` and ``a/1.txt``."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from workflow_scripts.acquisition.annotations.formats.files import SourceFiles, is_image_name
from workflow_scripts.acquisition.annotations.formats.sample import Sample, image_sample
from workflow_scripts.acquisition.annotations.rows import LARGEST_ROW, Apart

ENDING = ".txt"  # in upper or lower case


def sidecar_samples(files: SourceFiles, lines: bool = False) -> Iterator[Sample]:
    """A sample for each image, in order of paths, then one for each text file without an image.

    Args:
        lines: whether each line of a text file is a caption.
    """
    names = files.names()
    texts = {name[: -len(ENDING)]: name for name in names if name.lower().endswith(ENDING)}  # 1.txt wins over 1.TXT
    used = set()
    for name in names:
        if is_image_name(name):
            text = texts.get(str(PurePosixPath(name).with_suffix("")))
            caption = text_of(files, text, lines) if text else ""
            used.add(text)
            if isinstance(caption, Apart):
                yield Sample({"url": text}, unfit=caption)
            else:
                yield image_sample(name, caption, files)
    for name in names:
        if name.lower().endswith(ENDING) and name not in used:
            yield Sample({"url": name}, unfit=Apart.NO_IMAGE)


def text_of(files: SourceFiles, name: str, lines: bool) -> str | list[str] | Apart:
    """:func:`caption_text` of a file, or the reason not to use it."""
    if not files.is_inside(name):
        return Apart.BAD_PATH
    with open(files.source / name, "rb") as stream:
        data = stream.read(LARGEST_ROW + 1)
    return caption_text(data, lines)


def caption_text(data: bytes, lines: bool) -> str | list[str] | Apart:
    """A caption file's text, line breaks as spaces, or its ``lines``; or why it is not used: its size or encoding."""
    if len(data) > LARGEST_ROW:
        return Apart.OVERSIZED_ROW
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Apart.NOT_UTF8
    return [" ".join(line.split()) for line in text.splitlines()] if lines else " ".join(text.split())
