"""Settings of the data_card stage."""

from pydantic import Field

from workflow_scripts.core.settings import Settings


class DataCard(Settings):
    """How the data card counts."""

    confidence: float = Field(default=0.95, gt=0, lt=1, description="level of the Wilson intervals of kept shares")
    hosts_shown: int = Field(default=12, gt=0, description="hosts in the picture, the largest first; all are in JSON")
