"""Images and labels in parquet files, or in a folder that ``datasets.Dataset.save_to_disk`` wrote (Arrow streams)."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.foreign import readable
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture
from workflow_scripts.evaluation.datasets.splits import Entry, split_files

AT_ONCE = 64  # images


class TableSet:
    """Rows of tables: a column of encoded images (bytes, or the struct of Hugging Face), and one of labels.

    Labels are texts, or whole numbers. If the table's metadata names the classes (``ClassLabel``), numbers are their
    positions. Each file belongs to the split that its path names.

    Args:
        root: the folder.
        image: name of the column of images; empty: ``image``.
        label: name of the column of labels; empty: ``label``.
    """

    def __init__(self, root: Path, image: str, label: str) -> None:
        self.root, self.where, self.image, self.label = root, str(root), image or "image", label or "label"
        files = split_files(root, (".parquet", ".arrow"))
        # That of a folder of save_to_disk lists its files, beside which there may be cached ones.
        saved = {path for state in root.rglob("state.json") for path in _data_files(state)}
        self.files = [(split, path) for split, path in files if path.suffix == ".parquet" or not saved or path in saved]

    def listing(self) -> Listing:
        """Entries are named ``<file>/<row>``; rows without a label, or with one outside the classes, are counted."""
        entries, left_out = [], Counter[str]()
        classes: list[str] = []
        for split, path in self.files:
            with self._readable(path):
                names = _class_names(_schema(path), self.label)
                labels = [one for batch in self._batches(path, self.label, 1 << 16) for one in batch.to_pylist()]
            classes += [name for name in names if name not in classes]
            for row, label in enumerate(labels):
                class_name = _named(label, names)
                if class_name is None:
                    left_out["no_label"] += 1
                else:
                    entries.append(Entry(split, class_name, self._name(path, row)))
        return Listing(entries, left_out, classes)

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """The images of the chosen rows, file by file."""
        for _, path in self.files:
            row = 0
            with self._readable(path):
                for batch in self._batches(path, self.image, AT_ONCE):
                    images = batch.field("bytes") if pa.types.is_struct(batch.type) else batch
                    for number in range(len(images)):
                        if (name := self._name(path, row + number)) in wanted:
                            yield Picture(name, images[number].as_py() or b"")
                    row += len(images)

    def _name(self, path: Path, row: int) -> str:
        return f"{path.relative_to(self.root).as_posix()}/{row:07d}"

    def _readable(self, path: Path) -> Any:
        return readable("unreadable table", path, f"it must have the columns {self.image} and {self.label}")

    def _batches(self, path: Path, column: str, rows: int) -> Iterator[Any]:
        """Arrays of a column.

        Raises:
            ValueError: the columns are not those of a table of images and labels.
        """
        schema = _schema(path)
        _check(schema, self.image, self.label)
        if path.suffix == ".parquet":
            leaf = f"{column}.bytes" if pa.types.is_struct(schema.field(column).type) else column
            with pq.ParquetFile(path, pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=rows, columns=[leaf], use_threads=False):
                    yield batch.column(0)
            return
        with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                batch.validate(full=True)  # Arrow trusts the offsets in a stream
                for start in range(0, len(batch), rows):
                    yield batch.column(column).slice(start, rows)


def _data_files(state: Path) -> list[Path]:
    """The files that a folder of ``save_to_disk`` consists of.

    Raises:
        PipelineError: its state is unreadable, or one of them is missing.
    """
    with readable("unreadable state of a saved dataset", state, "save it again"):
        names = [str(one["filename"]) for one in json.loads(state.read_bytes())["_data_files"]]
    for name in names:
        if not (state.parent / name).is_file():
            raise PipelineError("incomplete dataset", state.parent, f"no {name}", "copy or save it again")
    return [state.parent / name for name in names]


def _schema(path: Path) -> pa.Schema:
    if path.suffix == ".parquet":
        return pq.read_schema(path)
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
        return stream.schema


def _check(schema: pa.Schema, image: str, label: str) -> None:
    """Raise ValueError for columns that are missing or of other types."""
    for name in (image, label):
        if schema.names.count(name) != 1:
            raise ValueError(f"no column {name}; the columns are {', '.join(schema.names[:20]) or 'none'}")
    kind = schema.field(image).type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise ValueError(f"column {image} is of type {schema.field(image).type}, but must hold encoded images")
    kind = schema.field(label).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise ValueError(f"column {label} is of type {kind}, but must be text or whole numbers")


def _class_names(schema: pa.Schema, label: str) -> list[str]:
    """Names of the classes in the metadata that Hugging Face's ``datasets`` writes; empty without them."""
    try:
        names = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][label]["names"]
    except (KeyError, TypeError):
        return []
    return [str(name) for name in names]


def _named(label: int | str | None, names: list[str]) -> str | None:
    """The class of a row, or None."""
    if isinstance(label, int) and names:
        return names[label] if 0 <= label < len(names) else None
    return None if label is None else str(label)
