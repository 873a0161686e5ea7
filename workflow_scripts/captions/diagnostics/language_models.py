"""What language models say of texts: which words are nouns, and how surprising a text is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification, AutoTokenizer

from workflow_scripts.captions.diagnostics.words import WORD
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.checkpoints import pretrained

MOST_TOKENS = 256  # of a text, so that no caption exceeds the positions of a model
NOUNS = frozenset({"NOUN", "PROPN", "NN", "NNS", "NNP", "NNPS"})
"""Tags of nouns and names in Universal Dependencies (UPOS) and in the Penn Treebank."""


@dataclass(frozen=True)
class Tagger:
    """A token classifier in evaluation mode with its tokenizer, on ``device``; ``nouns`` is (labels,) bool."""

    model: Any
    tokenizer: Any
    device: torch.device
    nouns: torch.Tensor

    @torch.inference_mode()
    def noun_shares(self, texts: Sequence[str], batch_size: int) -> list[float | None]:
        """Share of the words of each text that are nouns or names; None without words.

        A word has the tag of its first token. Texts are read up to :data:`MOST_TOKENS`, and words beyond do not count.
        """
        found: list[float | None] = []
        for start in range(0, len(texts), batch_size):
            found += self._of(list(texts[start : start + batch_size]))
        return found

    def _of(self, texts: list[str]) -> list[float | None]:
        encoded = self.tokenizer(
            texts,
            padding=True,
            padding_side="right",
            truncation=True,
            max_length=MOST_TOKENS,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        spans = encoded.pop("offset_mapping").tolist()
        logits = self.model(**encoded.to(self.device)).logits
        nouns = self.nouns[logits.argmax(dim=-1).cpu()].tolist()
        return [_share(*one) for one in zip(texts, spans, nouns, strict=True)]


def _share(text: str, spans: list[list[int]], nouns: list[bool]) -> float | None:
    """Share of words whose first token is a noun; special tokens and padding have empty spans."""
    tokens = [(start, end, noun) for (start, end), noun in zip(spans, nouns, strict=True) if end > start]
    tags = []
    at = 0
    for word in WORD.finditer(text):
        while at < len(tokens) and tokens[at][1] <= word.start():
            at += 1
        if at < len(tokens) and tokens[at][0] < word.end():
            tags.append(tokens[at][2])
    return sum(tags) / len(tags) if tags else None


def load_tagger(folder: Path, device: str) -> Tagger:
    """The token classifier of ``folder``.

    Raises:
        PipelineError: no such model, not all of its weights, no fast tokenizer with padding, or no tags of nouns.
    """
    advice = (
        "give the folder or the revision of a token classifier with UPOS or Penn Treebank tags and a fast tokenizer"
    )
    what = "part-of-speech tagger"
    model, tokenizer = pretrained(AutoModelForTokenClassification, AutoTokenizer, folder, torch.float32, what, advice)
    labels = [model.config.id2label[number] for number in range(model.config.num_labels)]
    nouns = torch.tensor([label.upper() in NOUNS for label in labels])
    if not nouns.any():
        raise PipelineError(f"no {what}", folder, f"labels {', '.join(labels)}"[:200], advice)
    if not tokenizer.is_fast or tokenizer.pad_token is None:
        value = "a tokenizer without padding token" if tokenizer.is_fast else "a slow tokenizer"
        raise PipelineError(f"no {what}", folder, value, advice)
    place = torch.device(device)
    return Tagger(model.to(place), tokenizer, place, nouns)


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model in evaluation mode with its tokenizer, on ``device``."""

    model: Any
    tokenizer: Any
    device: torch.device

    @torch.inference_mode()
    def surprise(self, texts: Sequence[str]) -> list[float | None]:
        """Mean negative log-likelihood per token of each text, in nats; its exponential is the perplexity.

        The first token is predicted from the start token. A model without one predicts from the second token on. Texts
        are read up to :data:`MOST_TOKENS`. None if no token is predicted.
        """
        return [self._of(text) for text in texts]

    def _of(self, text: str) -> float | None:
        ids = self.tokenizer(text, add_special_tokens=False, truncation=True, max_length=MOST_TOKENS)["input_ids"]
        start = self.tokenizer.bos_token_id
        ids = ids if start is None else [start, *ids]
        if len(ids) < 2:
            return None
        row = torch.tensor([ids], device=self.device)
        logits = self.model(input_ids=row).logits[0, :-1].float()
        return float(torch.nn.functional.cross_entropy(logits, row[0, 1:]))


def load_language_model(folder: Path, device: str) -> LanguageModel:
    """The language model of ``folder``.

    Raises:
        PipelineError: no such model, or not all of its weights.
    """
    advice = "give the folder or the revision of a causal language model, with its tokenizer, saved by save_pretrained"
    what = "causal language model"
    model, tokenizer = pretrained(AutoModelForCausalLM, AutoTokenizer, folder, torch.float32, what, advice)
    place = torch.device(device)
    return LanguageModel(model.to(place), tokenizer, place)
