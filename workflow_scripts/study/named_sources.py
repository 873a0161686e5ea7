"""The files, folders, models and sets outside the study that its config names."""

from workflow_scripts.embeddings.image_encoders import IMAGE_ENCODERS
from workflow_scripts.stages.score_captions import FACTS, JUDGES
from workflow_scripts.stages.source import WORLD, Source
from workflow_scripts.study.config.study import Study
from workflow_scripts.study.run_inputs import tokenised


def named_sources(study: Study) -> dict[str, Source]:
    """The sources of a study by the names of their artifacts; what comes from the demo's world is none."""
    named: dict[str, Source | None] = {
        "annotations": study.annotations.source,
        "exclude": study.annotations.exclude_from,
        "captioner": study.recaption.captioner,
        "matcher": study.recaption.matcher,
        "perplexity_model": study.caption_quality.perplexity_model,
        "tagger": study.caption_quality.tagger,
        "concreteness": study.caption_quality.concreteness,
        "objects": study.caption_quality.objects,
        "synonyms": study.caption_quality.synonyms,
    }
    if study.caption_labels is not None:
        named["labels"] = study.caption_labels.source
    named["tokenizer"] = study.tokenizer.source if tokenised(study) else None
    named |= {f"captions-{arm.name}": arm.table for arm in study.arms}
    encoders = {encoder.name: encoder.source for encoder in study.text_encoders}
    for judge in study.judges:
        given = {
            "model": judge.source or study.recaption.matcher,
            "text": encoders[judge.encoder] if judge.encoder else None,
            "photos": judge.photos,
        }
        named |= {FACTS.sources[need].format(judge=judge.name): given[need] for need in JUDGES[judge.kind].needs}
    named |= {f"encoder-{encoder.name}": encoder.source for encoder in study.text_encoders}
    matcher = study.recaption.matcher
    for e in study.image_encoders:
        named[f"encoder-{e.name}"] = e.source or (matcher if IMAGE_ENCODERS[e.kind].needs == "matcher" else None)
    named |= {f"network-{network.name}": network.source for network in study.networks}
    for dataset in study.datasets:
        wanted = dataset.source
        if wanted is not None and dataset.torchvision_name:
            wanted = wanted.model_copy(update={"torchvision": dataset.torchvision_name})
        named[f"dataset-{dataset.name}"] = wanted
    return {name: source for name, source in named.items() if source is not None and source.at != WORLD}
