import subprocess
import sys

import numpy as np
import pytest
import torch

from workflow_scripts.pretraining.text import END, PAD, START, TextTower, Tokens, train_tokenizer

CAPTIONS = [f"a {c} {o} on the {s}" for c in ("red", "blue") for o in ("boat", "house") for s in ("beach", "snow")] * 5
CODE = """
from tests.pretraining.test_text import CAPTIONS
from workflow_scripts.pretraining.text import train_tokenizer
print(train_tokenizer(CAPTIONS, 320).to_str())
"""


def test_the_same_captions_give_the_same_tokenizer_in_any_process() -> None:
    out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == train_tokenizer(CAPTIONS, 320).to_str()


def test_tokens_go_back_to_text_whatever_it_is() -> None:
    tokenizer = train_tokenizer(CAPTIONS, 320)
    assert tokenizer.get_vocab_size() <= 320
    texts = ["A red boat on the snow", "été 🚤 \u202e", "<end> <pad>", "x" * 50]
    tokens = Tokens(texts, tokenizer, 100)
    for i, text in enumerate(texts):
        ids = tokens(np.array([i]))[0].tolist()
        assert ids[0] == START and ids.count(END) == 1
        inside = ids[1 : ids.index(END)]
        assert tokenizer.decode(inside, skip_special_tokens=False).strip() == text.lower()
        assert set(ids[ids.index(END) + 1 :]) <= {PAD}
    assert len(tokenizer.encode("a red boat").ids) < len(tokenizer.encode("q zjx wvk").ids)


def test_the_original_tower_has_clips_activation_and_initial_weights() -> None:
    torch.manual_seed(0)
    tower = TextTower(50, 12, 64, 8, 4, 8, original=True)
    values = torch.linspace(-3, 3, 7)
    for layer in tower.layers:
        torch.testing.assert_close(layer.activation(values), values / (1 + torch.exp(-1.702 * values)))
        # Radford et al. 2021's code: width^-1/2, and (2 layers)^-1/2 times that for what joins the residual stream.
        expected = [
            (layer.self_attn.in_proj_weight, 1 / 8),
            (layer.self_attn.out_proj.weight, 1 / 32),
            (layer.linear1.weight, 128**-0.5),
            (layer.linear2.weight, 1 / 32),
        ]
        for weight, deviation in expected:
            assert weight.std().item() == pytest.approx(deviation, rel=0.05)
            assert abs(weight.mean().item()) < deviation / 10


def test_long_captions_lose_their_end_and_are_counted() -> None:
    tokens = Tokens(["a", "w" * 40], train_tokenizer(CAPTIONS, 300), 6)
    rows = tokens(np.array([1, 0]))
    assert rows.shape == (2, 6)
    assert rows[0, -1] == END
    assert tokens.cut_short == 1


def test_the_texts_vector_is_blind_to_padding_and_sees_every_token() -> None:
    torch.manual_seed(0)
    tower = TextTower(50, 12, 16, 2, 4, 8).eval()
    short = torch.tensor([[START, 7, 8, END]])
    padded = torch.cat([short, torch.full((1, 8), PAD)], 1)
    torch.testing.assert_close(tower(short), tower(padded), rtol=1e-4, atol=1e-5)
    both = torch.cat([padded, torch.cat([torch.tensor([[START, 9, 8, END]]), padded[:, 4:]], 1)])
    assert not torch.allclose(tower(both)[0], tower(both)[1], atol=1e-3)
