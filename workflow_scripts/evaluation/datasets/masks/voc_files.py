"""The text files of PASCAL VOC: lists of names, and annotations in XML."""

from pathlib import Path
from xml.etree import ElementTree

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.masks.objects import read_bytes

LARGEST = 1 << 20  # bytes; an annotation of a photo has a few thousand


class _NoEntities(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse a document type before the parser reads it: it could declare entities that fill the memory."""
        raise ValueError("it has a document type")


def names_of_objects(path: Path) -> list[str]:
    """The names of the objects in an annotation, in its order; an empty text for one without a name.

    Raises:
        PipelineError: the file is not such an annotation.
    """
    data = read_bytes(path)
    try:
        if len(data) > LARGEST:
            raise ValueError(f"{len(data)} bytes, more than {LARGEST}")
        root = ElementTree.fromstring(data, parser=ElementTree.XMLParser(target=_NoEntities()))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise PipelineError("unreadable annotation", path, error, "fetch it again, or remove it") from None
    return [(one.findtext("name") or "").strip() for one in root.findall("object")]


def names_in_list(path: Path) -> list[str]:
    """The first word of each line that has one."""
    lines = read_bytes(path).decode("utf-8", "replace").splitlines()
    return [line.split()[0] for line in lines if line.strip()]
