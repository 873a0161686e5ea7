"""Settings of the online probe."""

from pydantic import Field, PositiveFloat, PositiveInt

from workflow_scripts.core.settings import Settings


class Probe(Settings):
    """Online probe: weighted nearest neighbours (Wu et al. 2018, section 3.4; Caron et al. 2021)."""

    every: PositiveInt = Field(
        5_000, description="interval between probes", examples=[1000], json_schema_extra={"unit": "steps"}
    )
    images: int = Field(
        5_000,
        ge=2,
        description="maximum number of training images of probe_dataset that vote; all its validation images are "
        "classified. Without probe_dataset: of the study's images that vote and are classified, together",
        examples=[1000],
        json_schema_extra={"unit": "images"},
    )
    neighbours: PositiveInt = Field(
        20, description="number of nearest neighbours that vote", examples=[5], json_schema_extra={"unit": "neighbours"}
    )
    temperature: PositiveFloat = Field(
        0.07, description="temperature of the votes, whose weights are exp(cosine / temperature)", examples=[0.1]
    )
    keep_best: bool = Field(
        True, description="true: the best weights by this probe (docs/statistics.md) are kept as best", examples=[False]
    )
