"""Which embeddings of a study are read, and which nothing needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from workflow_scripts.study.config.embedded import arm_of, compared, encoder_of

if TYPE_CHECKING:
    from workflow_scripts.pretraining.settings import Pretrain
    from workflow_scripts.study.config.sections import Pairs, Run
    from workflow_scripts.study.config.study import Study


def vectors_of(pairs: Pairs) -> str:
    """``<stage>/<name>`` of the embeddings that a pair table is computed from."""
    return f"embed_captions/{pairs.arm}.{pairs.encoder}" if pairs.arm else f"embed_images/{pairs.encoder}"


def vectors_learned(study: Study, run: Run, settings: Pretrain) -> list[str]:
    """``<stage>/<name>`` of the embeddings that a run learns from, if its method does."""
    if "vectors" not in settings.inputs:
        return []
    return [f"embed_captions/{run.pairs}.{encoder_of(study, run, settings)}"]


def faithfulness(study: Study, run: Run, settings: Pretrain) -> list[str]:
    """``<stage>/<name>`` of what the weights of a run's pairs are made from, if they have some."""
    if settings.pair_weight == "itm":
        return [f"select_captions/{arm_of(study, run)}"]
    arms = compared(study) if settings.pair_weight == "agreement" else []
    return [f"embed_captions/{arm}.{encoder_of(study, run, settings)}" for arm in arms]


def encoders_read(study: Study, runs: Mapping[str, tuple[Run, Pretrain]], name: str) -> set[str]:
    """Names of the encoders of all embeddings that must be there before a run can start."""
    tables = {table.name: table.encoder for table in study.pairs}
    run, settings = runs[name]
    paired = runs.values() if study.common_images and settings.trains else [(run, settings)]
    read = {tables[one.pairs] for one, own in paired if "pairs" in own.inputs}
    made_from = (*vectors_learned(study, run, settings), *faithfulness(study, run, settings))
    return read | {encoder_in(one) for one in made_from if one.startswith("embed_")}


def encoder_in(vectors: str) -> str:
    """The encoder in ``<stage>/<name>`` of embeddings."""
    return vectors.replace("/", ".").rsplit(".", 1)[1]


def vectors_read(study: Study) -> set[str]:
    """``<stage>/<name>`` of the embeddings that pair tables, their diagnostics and the search for leakage read."""
    quality = study.pair_quality.image_encoder if study.pairs else None
    encoders = {name for name in (quality, study.leakage.encoder) if name}
    return {vectors_of(pairs) for pairs in study.pairs} | {f"embed_images/{name}" for name in encoders}


def unread(study: Study, text_vectors: list[str], runs: Iterable[tuple[Run, Pretrain]]) -> set[str]:
    """``<stage>/<name>`` of embeddings that nothing reads, and of sources of encoders that compute only those.

    Args:
        text_vectors: names of all embeddings of captions.
        runs: of the study, with their settings.
    """
    by_runs = (one for run in runs for one in (*vectors_learned(study, *run), *faithfulness(study, *run)))
    read = vectors_read(study) | {name for name in by_runs if name.startswith("embed_")}
    vectors = {f"embed_captions/{name}" for name in text_vectors}
    vectors |= {f"embed_images/{one.name}" for one in study.image_encoders}
    encoders = {one.name for one in study.text_encoders} | {one.name for one in study.image_encoders}
    used = {encoder_in(name) for name in read}
    return (vectors - read) | {f"source/encoder-{name}" for name in encoders - used}
