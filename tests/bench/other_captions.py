"""Figures of captions by pandas, scikit-learn, scipy, datasketch and lingua, for ``bench_captions``.

Of the workflow's code, only the word lists are used.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.linalg import svdvals
from scipy.stats import entropy
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from transformers import BertTokenizerFast

from workflow_scripts.captions.diagnostics.words import EMPTY_WORDS, FIRST_PERSON, FUNCTION_WORDS

WORD = r"\w+(?:['’]\w+)*"
DOMAINS = ["com", "org", "net", "edu", "gov", "io", "co", "uk", "de", "ca", "be", "it", "gg", "tv", "ly"]
BANDS, ROWS = 25, 5
ENGLISH = 20_000  # captions read by lingua, which takes 3 ms for each


def split(captions: list[str]) -> "pd.Series[list[str]]":
    """The words of each caption in lower case."""
    return pd.Series(captions).str.replace("’", "'").str.lower().str.findall(WORD)


def naming(words: "pd.Series[str]") -> "pd.Series[bool]":
    """Which words name something."""
    listed = words.isin(FUNCTION_WORDS | EMPTY_WORDS | FIRST_PERSON)
    letters = words.str.replace(r"[\W\d_]", "", regex=True).str.len()
    ascii_only = words.map(str.isascii)
    return ~listed & (letters > 0) & ((letters > 2) | ~ascii_only)


def figures(captions: list[str], encoder: Path, short: int, tokens: int) -> dict[str, float]:
    """Means over the captions."""
    texts = pd.Series(captions)
    words = split(captions)
    sizes = words.str.len()
    content = naming(words.explode().dropna().astype(str))
    named = content.groupby(level=0).sum().reindex(texts.index, fill_value=0)
    first = texts.str.replace("’", "'").str.findall(WORD).explode().dropna()
    first = first[first != "US"].str.lower().isin(FIRST_PERSON).groupby(level=0).any().reindex(texts.index)
    written = texts.str.lower().str.replace(r"([.!\"()*#:;~])", " ", regex=True).str.replace(r"\s{2,}", " ", regex=True)
    written = written.str.rstrip("\n").str.strip(" ").str.split(" ").str[:50].str.join(" ")
    read = BertTokenizerFast.from_pretrained(encoder)(written.tolist(), verbose=False)["input_ids"]
    counts = CountVectorizer(analyzer=list, dtype=np.int64).fit(words[sizes > 0])
    idf = TfidfTransformer(norm=None, smooth_idf=True).fit(counts.transform(words[sizes > 0])).idf_ - 1
    kept = naming(pd.Series(counts.get_feature_names_out())).to_numpy()
    table = counts.transform(words)[:, kept]
    totals = np.asarray(table.sum(axis=1)).ravel()
    rarity = (table @ idf[kept])[totals > 0] / totals[totals > 0]
    return {
        "words": sizes.mean(),
        "short": (sizes < short).mean(),
        "empty": (texts == "").mean(),
        "vague": (named == 0).mean(),
        "first_person": first.fillna(False).astype(bool).mean(),
        "repeated": (texts.duplicated(keep=False) & (texts != "")).mean(),
        "truncated": np.mean([len(ids) > tokens for ids in read]),
        "hashtag": texts.str.contains(r"(?<![\w&/])#\w*[^\W\d_]\w*").mean(),
        "url": addresses(texts.str.lower()).mean(),
        "specificity": float(rarity.mean()),
    }


def addresses(texts: "pd.Series[str]") -> "pd.Series[bool]":
    """Which texts in lower case have a web address."""
    ends = texts.str.extractall(r"\w-*\.([a-z]+)(?!\w)(?!\.)")[0]
    hosts = ends.isin(DOMAINS).groupby(level=0).any().reindex(texts.index, fill_value=False)
    marked = [texts.str.contains(mark, regex=False) for mark in ("http://", "https://", "www.")]
    return hosts | marked[0] | marked[1] | marked[2]


def english(captions: list[str]) -> np.ndarray:
    """(n,) bool: by lingua."""
    from lingua import Language, LanguageDetectorBuilder

    found = LanguageDetectorBuilder.from_all_languages().build().detect_languages_in_parallel_of(captions)
    return np.array([language == Language.ENGLISH for language in found])


def block_figures(blocks: list[list[str]], grams: int) -> Iterator[tuple[str, float]]:
    """Means over blocks of distinct-2, distinct-3 and the entropy of words."""
    values: dict[str, list[float]] = {}
    for captions in blocks:
        words = split(captions)
        for size in (1, 2, 3):
            joined = words.map(lambda some, n=size: [" ".join(some[i : i + n]) for i in range(len(some) - n + 1)])
            found = joined.explode().dropna().iloc[:grams]
            if len(found) == grams:
                name = "word_entropy" if size == 1 else f"distinct_{size}"
                value = entropy(found.value_counts(), base=2) if size == 1 else found.nunique() / grams
                values.setdefault(name, []).append(float(value))
    for name, some in values.items():
        yield name, float(np.mean(some))


def vendi(blocks: list[np.ndarray]) -> float:
    """Mean over blocks, from singular values."""
    return float(np.mean([np.exp(entropy(svdvals(block.astype(float)) ** 2)) for block in blocks]))


def near_duplicates(captions: list[str]) -> float:
    """Share with another caption of a Jaccard index of at least 0.8: candidates by datasketch, then compared."""
    from datasketch import MinHash, MinHashLSH

    sets = [frozenset(words) for words in split(captions)]
    times = Counter(sets)
    distinct = [one for one in times if one]
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    near = {one for one, count in times.items() if count > 1}
    hashes = MinHash.generator([[word.encode() for word in one] for one in distinct], num_perm=BANDS * ROWS)
    for place, (one, hashed) in enumerate(zip(distinct, hashes, strict=True)):
        for other in index.query(hashed):
            two = distinct[other]
            common = len(one & two)
            if common >= 0.8 * (len(one) + len(two) - common) - 1e-9:
                near |= {one, two}
        index.insert(place, hashed, check_duplication=False)
    return sum(count for one, count in times.items() if one in near and one) / len(captions)
