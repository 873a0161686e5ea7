"""CLIP's own tokenizer from a folder, against CLIP's algorithm."""

from pathlib import Path

import pytest

from tests.models.text.small_clip import reference_ids, save_clip_tokenizer, tokens
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.text.caption_tokenizer import read_tokenizer
from workflow_scripts.models.text.clip_bpe import load_clip

TEXTS = ["A red disc", "the  RED disk isn't there!! 42", "<|endoftext|> the end <|startoftext|>", "dddis"]


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


def test_a_folder_without_it_says_what_is_missing(tmp_path: Path) -> None:
    save_clip_tokenizer(tmp_path / "clip")
    (tmp_path / "clip" / "merges.txt").unlink()
    with pytest.raises(PipelineError, match=r"no tokenizer in .*clip: no merges.txt; give a CLIP model"):
        load_clip(tmp_path / "clip")


def test_unknown_bytes_would_end_a_caption(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"tokenizer without some bytes in .*: 1, such as 'q</w>'"):
        load_clip(save_clip_tokenizer(tmp_path / "clip", leave_out="q</w>"))
