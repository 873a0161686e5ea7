"""Files of captions from users: parquet, CSV and JSON, and what is none of them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.captions.caption_file import read_captions
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import derived_id

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ROWS = st.lists(st.tuples(TEXTS.filter(bool), st.lists(st.none() | TEXTS, min_size=1, max_size=3)), max_size=6)


def rows_of(path: Path, content: bytes | str | None = None) -> list[tuple[str | None, list[str | None]]]:
    """The rows of a file, which is written first."""
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_captions(path))


def test_csv_and_parquet_are_read_alike(tmp_path: Path) -> None:
    rows = [("007", ['a "red", cat']), ("b", ["NA"]), ("b", ["two\nlines"]), ("", [""])]
    content = 'extra,caption,key\n1,"a ""red"", cat",007\n2,NA,b\n3,"two\nlines",b\n4,,\n'
    assert (
        rows_of(tmp_path / "c.csv", content)
        == rows_of(tmp_path / "bom.csv", b"\xef\xbb\xbf" + content.encode())
        == rows
    )
    table = pa.table(
        {"key": [key for key, _ in rows], "caption": [texts[0] for _, texts in rows], "more": [1, 2, 3, 4]}
    )
    pq.write_table(table, tmp_path / "noname")
    assert rows_of(tmp_path / "noname") == rows


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.large_string())])
def test_a_column_of_caption_lists_is_read(tmp_path: Path, kind: pa.DataType) -> None:
    captions = pa.array([["one", None, "two"], [], None, ["three"]], kind)
    pq.write_table(pa.table({"key": pa.array([7, 8, 9, None]), "caption": captions}), tmp_path / "c")
    assert rows_of(tmp_path / "c") == [("7", ["one", None, "two"]), ("8", [None]), ("9", [None]), (None, ["three"])]


@given(ROWS)
def test_all_forms_of_json_give_the_same_rows(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    path = tmp_path_factory.mktemp("json") / "c.json"
    records = [{"more": {"x": [1, {}]}, "key": key, "caption": texts} for key, texts in rows]
    assert rows_of(path, json.dumps(records)) == rows
    if records:
        assert rows_of(path, "\n".join(json.dumps(one) for one in records)) == rows
        coco = [{"image_id": key, "id": 3, "caption": texts} for key, texts in rows]
        assert rows_of(path, json.dumps({"info": {}, "images": [{"id": 1}], "annotations": coco, "n": 1})) == rows
        assert rows_of(path, json.dumps(coco, indent=1)) == rows
    fields = ", ".join(f"{json.dumps(key)}: {json.dumps(texts)}" for key, texts in rows)  # keys may be repeated
    assert rows_of(path, "{" + fields + "}") == rows


def test_captions_of_json_may_be_a_text_or_missing(tmp_path: Path) -> None:
    path = tmp_path / "c"
    records = '\ufeff [{"key": 12, "caption": "a"}, {"key": "b", "caption": null}, {"key": null}, {"key": "c"}]'
    assert rows_of(path, records) == [("12", ["a"]), ("b", [None]), (None, [None]), ("c", [None])]
    assert rows_of(path, '{"key": "a", "caption": "b"}') == [("a", ["b"])]  # one line of JSON lines
    assert rows_of(path, '{"annotations": "a", "caption": ["b"]}') == [("annotations", ["a"]), ("caption", ["b"])]
    for both in ('{"key": "a", "image_id": 5, "caption": "x"}', '{"image_id": 5, "key": "a", "caption": "x"}'):
        assert rows_of(path, f"[{both}]") == [("a", ["x"])]
    assert rows_of(path, "[]") == rows_of(path, "{}") == []


def test_images_may_be_named_by_their_paths(tmp_path: Path) -> None:
    rows = [("./im/a.jpg", "a cat"), ("https://a.test/b.jpg", "a dog"), ("", "nothing")]
    keys = [(derived_id("im/a.jpg"), ["a cat"]), (derived_id("https://a.test/b.jpg"), ["a dog"]), ("", ["nothing"])]
    content = "".join(f"{path},{text}\n" for path, text in rows)
    for name in ("image", "file_name", "path", "file"):
        assert rows_of(tmp_path / "c.csv", f"{name},caption\n{content}") == keys
        records = [{name: path, "caption": text} for path, text in rows]
        assert rows_of(tmp_path / "c.jsonl", "\n".join(map(json.dumps, records))) == keys
    pq.write_table(
        pa.table({"image": [path for path, _ in rows], "caption": [text for _, text in rows]}), tmp_path / "c"
    )
    assert rows_of(tmp_path / "c") == keys
    assert rows_of(tmp_path / "c.csv", "image,key,caption\na.jpg,k0,a cat\n") == [("k0", ["a cat"])]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ""),
        (b"id,text\n1,a\n", "key"),
        (b"PAR1 and then nothing", ""),
        (b"key,caption\na,b\n1,2,3\n", "Row #3: Expected 2 columns, got 3"),
        (b"key,key,caption\n1,2,3\n", ""),
        (b"key,caption\na,\xff\n", "UTF8"),
        (b"key,caption\na,a man straddling a horse,b\n", "Row #2: Expected 2 columns, got 3"),
        (b'key,caption\na,"b\n' + b"a,b\n" * (1 << 19), "a row of more than 1 MiB, or a quotation mark"),
        (b'[{"key": "a", "caption": "x"}, {"key": "b", "caption": NaN}]', r"row 2: lexical error: invalid char"),
        (b'[{"key": "a", "caption": "x"}, {"key": "b", "caption": 1.5}]', r"row 2: the caption must be text, null or"),
        (b'[{"key": "a", "caption": {"text": "x"}}]', r"row 1: the caption must be"),
        (b'[{"key": "a", "caption": ["x", ["y"]]}]', r"row 1: the caption must be .* a list of at most 10000 texts"),
        (b'[{"key": 1.5, "caption": "x"}]', r"row 1: the key must be text or a whole number"),
        (b'[{"key": true, "caption": "x"}]', r"row 1: the key must be"),
        (b'[["a", "x"]]', r"row 1: it is not an object"),
        (b'{"key": "a", "caption": "x"}\n["b"]\n', r"row 2: it is not an object"),
        (b'{"key": "a", "caption": "x"}\n{"key": "b", "cap', r"row 2: "),
        (b'{"a": "x", "b": {"caption": "y"}}', r"row 2: the caption must be"),
        (b'{"a": "x"', r"row 1: parse error: premature EOF"),
        (b'{"a": "x"} and more', r"row 2: parse error: trailing garbage"),
        (b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", r"row 1: nested more than 100 levels deep"),
        (b'{"a": ["' + b'", "' * 10_001 + b'"]}', r"row 1: the caption must be"),
        (
            b'[{"key": "a", "caption": "' + b"x" * (3 << 20) + b'"}]',
            r"row 1: more than 1048576 bytes without a quotation",
        ),
        (b'[{"key": 1' + b"0" * 400 + b', "caption": "x"}]', r"row 1: "),
    ],
)
def test_unreadable_caption_files_are_an_error(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(PipelineError, match=rf"unreadable caption file in .*bad: .*{said}"):
        rows_of(tmp_path / "bad", content)


def test_lists_in_csv_are_looked_for_in_rows_of_any_length(tmp_path: Path) -> None:
    rows = ["a," + "x" * 600] * 1700 + [f"""a,"['{"x" * 600}', 'b']\""""] * 2396
    with pytest.raises(PipelineError, match="lists written as text"):
        rows_of(tmp_path / "c", "\n".join(["key,caption", *rows]).encode())


def test_rows_before_a_fault_are_read(tmp_path: Path) -> None:
    (tmp_path / "c").write_text('[{"key": "a", "caption": "x"}, 5]')
    rows = read_captions(tmp_path / "c")
    assert next(rows) == ("a", ["x"])
    with pytest.raises(PipelineError, match="row 2: it is not an object"):
        next(rows)


def test_columns_must_hold_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"key": [7], "caption": ["x"]}), tmp_path / "c")
    assert rows_of(tmp_path / "c") == [("7", ["x"])]
    for strange in ([1.5], [{"a": 1}], [True], [[1.5]], [[["a"]]]):
        pq.write_table(pa.table({"key": ["b"], "caption": strange}), tmp_path / "c")
        with pytest.raises(PipelineError, match=r"column caption is of type .*, but must be"):
            rows_of(tmp_path / "c")
    pq.write_table(pa.table({"key": [["b"]], "caption": ["x"]}), tmp_path / "c")
    with pytest.raises(PipelineError, match=r"column key is of type .*, but must be string"):
        rows_of(tmp_path / "c")
