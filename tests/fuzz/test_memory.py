"""Inputs made to need gigabytes: each is read in a process of its own, whose peak above its imports is measured."""

import json
import os
import struct
import subprocess
import sys
import textwrap
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acquisition.zips import row
from tests.fuzz.worker import RESIDENT

ROOT = Path(__file__).resolve().parents[2]
LONG = 300 << 20  # bytes of a caption
READ = "from workflow_scripts.captions.caption_file import read_captions"
CODE = """
from pathlib import Path
from tests.fuzz.worker import resident_bytes
from workflow_scripts.core.errors import PipelineError
{imports}
def outcome():
{body}
idle = resident_bytes("VmRSS")
try:
    print("said", outcome())
except PipelineError as error:
    print("said", error)
print("peak", resident_bytes("VmHWM") - idle)
"""


def read(folder: Path, imports: str, body: str) -> str:
    """What ``body`` (of a function) returns or refuses, in a process that needs little more than ``imports`` take."""
    code = CODE.format(imports=textwrap.dedent(imports), body=textwrap.indent(textwrap.dedent(body), "    "))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said, peak = (line.split(" ", 1)[1] for line in done.stdout.splitlines())
    assert int(peak) < RESIDENT
    return said


def test_measured_memory_includes_reading_but_not_imports(tmp_path: Path) -> None:
    assert read(tmp_path, f"taken = b'x' * {LONG}", "return len(taken)") == str(LONG)
    with pytest.raises(AssertionError, match="<"):
        read(tmp_path, "", f"return len(b'x' * {LONG})")


GATHER = (
    """
from workflow_scripts.acquisition.annotations.rows import Filter
from workflow_scripts.acquisition.annotations.own import gather
from workflow_scripts.acquisition.annotations.redcaps import redcaps_samples
""",
    """
path, wanted = Path("a.zip"), Filter(None, None)
counts = gather(path, redcaps_samples(path, wanted), wanted, 2000, Path("kept"), Path("apart"), Path("."))
return counts["rows"], counts["kept"], counts["apart"]
""",
)


def test_a_zip_of_a_million_bytes_that_unpacks_to_a_thousand_times_that(tmp_path: Path) -> None:
    rows = ", ".join(json.dumps(row("same", caption="x" * 4000)) for _ in range(2000))
    with (
        zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("annotations/pics_2019.json", "w", force_zip64=True) as stream,
    ):
        stream.write(b'{"annotations": [' + rows.encode())
        for _ in range(10):
            stream.write(b", " + rows.encode())
        stream.write(b"]}")
    assert (tmp_path / "a.zip").stat().st_size < 4 << 20
    assert "zip unpacks to too much data in a.zip" in read(tmp_path, *GATHER)


@pytest.mark.parametrize(
    ("piece", "message"), [(b"x" * (1 << 20), "without a quotation mark"), (b'", "' * (1 << 18), "a row of more than")]
)
def test_a_row_of_300_mib_is_an_error(tmp_path: Path, piece: bytes, message: str) -> None:
    with (
        zipfile.ZipFile(tmp_path / "a.zip", "w") as archive,
        archive.open("annotations/pics_2019.json", "w", force_zip64=True) as stream,
    ):
        stream.write(b'{"annotations": [' + json.dumps(row("a")).encode() + b', {"image_id": "b", "caption": ["')
        for _ in range(LONG >> 20):
            stream.write(piece)
        stream.write(b'"]}, ' + json.dumps(row("c")).encode() + b"]}")
    said = read(tmp_path, *GATHER)
    assert said.startswith("unreadable annotation file in a.zip!annotations/pics_2019.json") and message in said


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_a_caption_file_with_a_caption_of_300_mib_needs_bounded_memory(tmp_path: Path, form: str) -> None:
    caption = "x" * LONG
    if form == "csv":
        (tmp_path / "t").write_text(f"key,caption\na,{caption}\n")
    elif form == "json":
        (tmp_path / "t").write_text(f'[{{"key": "a", "caption": "{caption}"}}]')
    else:
        table = pa.table({"key": ["a"], "caption": [caption]})
        pq.write_table(table, tmp_path / "t", use_dictionary=False, write_statistics=False, compression="none")
    said = read(tmp_path, READ, "return sum(len(captions) for _, captions in read_captions(Path('t')))")
    assert said == "1" or "unreadable caption file in t" in said


def test_a_large_csv_file_that_is_read_slowly_needs_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("key,caption\n" + "a,a photo of a dog\n" * (LONG // 19))
    slowly = "rows = read_captions(Path('t'))\nfirst = next(rows)\ntime.sleep(1)  # pyarrow reads ahead\nreturn first"
    assert read(tmp_path, f"import time\n{READ}", slowly) == "('a', ['a photo of a dog'])"


def test_an_image_of_60_000_by_60_000_pixels_needs_bounded_memory(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(7501 * 60_000), 1)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0))
    (tmp_path / "i.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    said = read(
        tmp_path,
        """
        import numpy as np
        from workflow_scripts.acquisition.images.images import process
        from workflow_scripts.acquisition.settings import Download
        from workflow_scripts.evaluation.datasets.dataset_files import fault_of
        from workflow_scripts.evaluation.datasets.mask_sets import object_mask
        from workflow_scripts.evaluation.datasets.picture_sets import Picture
        """,
        """
        data = Path("i.png").read_bytes()
        try:
            object_mask(Path("i.png"), 1)
        except PipelineError as error:
            return process(data, Download()).state, fault_of(Picture("i", data)), str(error)
        """,
    )
    assert "decompression_bomb" in said and said.count("pixels") >= 2 and "corrupt segmentation in i.png" in said


def test_headers_that_claim_terabytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes((1 << 40).to_bytes(8, "little") + b"{}")
    tensor = b'{"a": {"dtype": "F32", "shape": [1099511627776], "data_offsets": [0, 4398046511104]}}'
    (tmp_path / "n.safetensors").write_bytes(len(tensor).to_bytes(8, "little") + tensor)
    (tmp_path / "p").write_bytes(b"PAR1" + bytes(8) + (2**31 - 1).to_bytes(4, "little") + b"PAR1")
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    said = read(
        tmp_path,
        """
        from workflow_scripts.core.files.foreign import batches, readable
        from workflow_scripts.provenance.verify import deviation
        """,
        """
        found = [deviation(Path(name), Path(name), name[1:]) for name in ("m.safetensors", "n.safetensors", "a.npy")]
        with readable("unreadable table", "p", "mend it"):
            list(batches(Path("p"), {}))
        return found
        """,
    )
    assert said.startswith("unreadable table in p")
