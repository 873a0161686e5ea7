"""The section ``caption_quality`` of the config: settings of the stage, and what it can be given."""

from pydantic import Field

from workflow_scripts.stages.caption_quality import CaptionQuality
from workflow_scripts.stages.source import SourceField


class CaptionQualitySection(CaptionQuality):
    """How the quality of captions is measured."""

    perplexity_model: SourceField | None = Field(
        None,
        description="causal language model by which the captions' surprisal per token is measured; null: not measured",
        examples=["hub:openai-community/gpt2@main"],
    )
    tagger: SourceField | None = Field(
        None,
        description="transformers' token classifier with UPOS or Penn Treebank tags, by which the share of nouns is "
        "measured; null: not measured",
        examples=["hub:vblagoje/bert-english-uncased-finetuned-pos@main"],
    )
    concreteness: SourceField | None = Field(
        None,
        description="people's ratings of words from 1 (abstract) to 5 (concrete): a CSV, tab-separated or parquet file "
        "with the columns Word and Conc.M (Brysbaert et al. 2014); null: not measured",
        examples=["data/concreteness.csv"],
    )
    objects: SourceField | None = Field(
        None,
        description="objects in the images: a parquet or CSV file with the columns key and label, or COCO's instances "
        "(JSON), by which objects that captions mention wrongly are counted; null: only in the demo",
        examples=["data/instances_train2017.json"],
    )
    synonyms: SourceField | None = Field(
        None,
        description="other names of objects: a text file with an object and its other names on each line, separated by "
        "commas (synonyms.txt of CHAIR); null: none",
        examples=["data/synonyms.txt"],
    )
