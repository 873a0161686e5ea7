"""Rows of annotation tables that a removal list names, to find other places with their text, URLs and images."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from workflow_scripts.acquisition.annotations.removal_tokens import id_token, url_token
from workflow_scripts.acquisition.annotations.rows import Apart

COLUMNS = ["image_id", "url", "caption", "raw_caption"]
SHORTEST = 8  # minimum characters of a caption to search for; shorter ones occur everywhere


@dataclass
class Listed:
    """Ids, URLs and captions of rows on a removal list."""

    ids: set[str] = field(default_factory=set)
    urls: set[str] = field(default_factory=set)
    captions: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.ids or self.urls)

    def update(self, other: "Listed") -> None:
        """Add the content of ``other``."""
        self.ids |= other.ids
        self.urls |= other.urls
        self.captions |= other.captions


def listed_rows(
    tables: Iterable[Path], tokens: Collection[str], pairs: Collection[tuple[str, str]] = frozenset()
) -> Listed:
    """Ids, urls and captions of the rows of ``tables`` (as ``annotations`` writes them) that a removal list names.

    Args:
        tokens: of ids and URLs; one of them names a row.
        pairs: tokens of id and URL that name a row together.
    """
    found = Listed()
    for path in tables:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=65_536, columns=COLUMNS):
            for image_id, url, *captions in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                by_id, by_url = id_token(image_id or ""), url_token(url or "")
                if by_id in tokens or by_url in tokens or (by_id, by_url) in pairs:
                    found.ids.update([image_id] if image_id else [])
                    found.urls.update([url] if url else [])
                    found.captions.update(text for text in captions if text and len(text) >= SHORTEST)
    return found


def excluded_tokens(table: Path) -> list[tuple[str, ...]]:
    """Tokens of the id and of each URL of all rows that a removal list excluded, from the table of unused rows."""
    found: list[tuple[str, ...]] = []
    for batch in pq.ParquetFile(table).iter_batches(batch_size=65_536, columns=["reason", "image_id", "url"]):
        for reason, image_id, urls in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            found.extend([(image_id, *urls.split())] if reason == Apart.EXCLUDED else [])
    return found


def pairs_of(excluded: Iterable[tuple[str, ...]]) -> set[tuple[str, str]]:
    """Tokens of id and stored URL of the rows whose source gives another URL, which no table stores."""
    return {(image_id, stored) for image_id, stored, *given in excluded if given}


def urls_among(table: Path, urls: Collection[str]) -> set[str]:
    """Those of ``urls`` that occur in ``table``."""
    found: set[str] = set()
    for batch in pq.ParquetFile(table).iter_batches(batch_size=65_536, columns=["url"]):
        found.update(url for url in batch.column(0).to_pylist() if url in urls)
    return found


def ids_among(table: Path, tokens: Collection[str]) -> set[str]:
    """Those of ``tokens`` that are tokens of ids in ``table``."""
    found: set[str] = set()
    for batch in pq.ParquetFile(table).iter_batches(batch_size=65_536, columns=["image_id"]):
        found.update(token for token in map(id_token, filter(None, batch.column(0).to_pylist())) if token in tokens)
    return found
