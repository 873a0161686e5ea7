"""Which embeddings of a study are read, and which nothing needs."""

from workflow_scripts.study.config.sections import Pairs
from workflow_scripts.study.config.study import Study


def vectors_of(pairs: Pairs) -> str:
    """``<stage>/<name>`` of the embeddings that a pair table is computed from."""
    return f"embed_captions/{pairs.arm}.{pairs.encoder}" if pairs.arm else f"embed_images/{pairs.encoder}"


def vectors_read(study: Study) -> set[str]:
    """``<stage>/<name>`` of the embeddings that pair tables and their diagnostics read."""
    encoder = study.pair_quality.image_encoder
    images = {f"embed_images/{encoder}"} if encoder and study.pairs else set()
    return {vectors_of(pairs) for pairs in study.pairs} | images


def unread(study: Study, text_vectors: list[str]) -> set[str]:
    """``<stage>/<name>`` of embeddings that nothing reads, and of sources of encoders that compute only those.

    Args:
        text_vectors: names of all embeddings of captions.
    """
    read, encoder = vectors_read(study), study.pair_quality.image_encoder
    vectors = {f"embed_captions/{name}" for name in text_vectors}
    vectors |= {f"embed_images/{one.name}" for one in study.image_encoders}
    encoders = {one.name for one in study.text_encoders} | {one.name for one in study.image_encoders}
    used = {pairs.encoder for pairs in study.pairs} | ({encoder} if encoder and study.pairs else set())
    return (vectors - read) | {f"source/encoder-{name}" for name in encoders - used}
