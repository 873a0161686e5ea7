"""Which embeddings of a study are read, and which nothing needs."""

from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.study.config.sections import Pairs, Run
from workflow_scripts.study.config.study import Study


def vectors_of(pairs: Pairs) -> str:
    """``<stage>/<name>`` of the embeddings that a pair table is computed from."""
    return f"embed_captions/{pairs.arm}.{pairs.encoder}" if pairs.arm else f"embed_images/{pairs.encoder}"


def vectors_learned(study: Study, run: Run) -> list[str]:
    """``<stage>/<name>`` of the embeddings that a run learns from, if its method does."""
    if "vectors" not in METHODS[run.method].learns:
        return []
    return [f"embed_captions/{run.pairs}.{run.encoder or study.text_encoders[0].name}"]


def vectors_read(study: Study) -> set[str]:
    """``<stage>/<name>`` of the embeddings that pair tables, their diagnostics and the search for leakage read."""
    quality = study.pair_quality.image_encoder if study.pairs else None
    encoders = {name for name in (quality, study.leakage.encoder) if name}
    return {vectors_of(pairs) for pairs in study.pairs} | {f"embed_images/{name}" for name in encoders}


def unread(study: Study, text_vectors: list[str]) -> set[str]:
    """``<stage>/<name>`` of embeddings that nothing reads, and of sources of encoders that compute only those.

    Args:
        text_vectors: names of all embeddings of captions.
    """
    read = vectors_read(study) | {name for run in study.runs for name in vectors_learned(study, run)}
    vectors = {f"embed_captions/{name}" for name in text_vectors}
    vectors |= {f"embed_images/{one.name}" for one in study.image_encoders}
    encoders = {one.name for one in study.text_encoders} | {one.name for one in study.image_encoders}
    used = {name.replace("/", ".").rsplit(".", 1)[1] for name in read}
    return (vectors - read) | {f"source/encoder-{name}" for name in encoders - used}
