import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.text.small_clip import reference_ids, save_clip_tokenizer, tokens
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.text.caption_tokenizer import load_clip, read_tokenizer, train_tokenizer

TEXTS = ["A red disc", "the  RED disk isn't there!! 42", "<|endoftext|> the end <|startoftext|>", "dddis"]
CAPTIONS = [f"a {c} {o} on the {s}" for c in ("red", "blue") for o in ("boat", "house") for s in ("beach", "snow")] * 5
CODE = """
from tests.models.text.test_caption_tokenizer import CAPTIONS
from workflow_scripts.models.text.caption_tokenizer import train_tokenizer
print(train_tokenizer([CAPTIONS[:7], CAPTIONS[7:]], 320).core.to_str())
"""


@pytest.mark.parametrize("again", [False, True])
def test_ids_are_those_of_clips_code(tmp_path: Path, again: bool) -> None:
    tokenizer = load_clip(save_clip_tokenizer(tmp_path / "clip"))
    if again:
        tokenizer.write(tmp_path / "t.json", tmp_path / "t.special.json")
        tokenizer = read_tokenizer(tmp_path / "t.json", tmp_path / "t.special.json")
    start, end = len(tokens()) - 2, len(tokens()) - 1
    assert tokenizer.special == (start, end, end, len(tokens()))
    rows, cut = tokenizer.rows(TEXTS, 77)
    assert rows == [[start, *reference_ids(text), end] for text in TEXTS]
    assert cut == 0
    assert all(row.count(end) == 1 for row in rows)


def test_a_folder_without_a_clip_tokenizer_is_an_error(tmp_path: Path) -> None:
    save_clip_tokenizer(tmp_path / "clip")
    (tmp_path / "clip" / "merges.txt").unlink()
    with pytest.raises(PipelineError, match=r"no tokenizer in .*clip: no merges.txt; give a CLIP model"):
        load_clip(tmp_path / "clip")


def test_unknown_bytes_would_end_a_caption(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"tokenizer without some bytes in .*: 1, such as 'q</w>'"):
        load_clip(save_clip_tokenizer(tmp_path / "clip", leave_out="q</w>"))


def test_the_same_captions_give_the_same_tokenizer_in_any_process_and_batches() -> None:
    out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == train_tokenizer([CAPTIONS], 320).core.to_str()


def test_tokenising_any_text_is_reversible(tmp_path: Path) -> None:
    train_tokenizer([CAPTIONS], 320).write(tmp_path / "t.json", tmp_path / "t.special.json")
    tokenizer = read_tokenizer(tmp_path / "t.json", tmp_path / "t.special.json")
    special = tokenizer.special
    assert special[:3] == (1, 2, 0) and 259 < special.vocabulary <= 320
    texts = ["A red boat on the snow", "été 🚤 \u202e", "<end> <pad>", "x" * 50]
    rows, cut = tokenizer.rows(texts, 100)
    for row, text in zip(rows, texts, strict=True):
        assert (row[0], row[-1]) == (special.start, special.end)
        assert not set(row[1:-1]) & set(special[:3])
        assert tokenizer.core.decode(row[1:-1], skip_special_tokens=False).strip() == text.lower()
    assert cut == 0
    common, rare = tokenizer.rows(["a red boat", "q zjx wvk"], 100)[0]
    assert len(common) < len(rare)


def test_long_captions_lose_their_end_and_are_counted() -> None:
    tokenizer = train_tokenizer([CAPTIONS], 300)
    (whole, long), _ = tokenizer.rows(["a", "w" * 40], 100)
    (first, second), cut = tokenizer.rows(["a", "w" * 40], 6)
    assert first == whole
    assert second == [*long[:5], tokenizer.special.end]
    assert cut == 1


def test_a_tokenizer_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    train_tokenizer([CAPTIONS], 300).write(tmp_path / "t.json", tmp_path / "t.special.json")
    (tmp_path / "t.json").write_text('{"version": "9.9"}')
    with pytest.raises(PipelineError, match=r"unreadable tokenizer in .*t\.json"):
        read_tokenizer(tmp_path / "t.json", tmp_path / "t.special.json")
