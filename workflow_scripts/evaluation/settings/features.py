"""Settings of the stage that extracts frozen features."""

from pydantic import Field

from workflow_scripts.core.settings import Settings


class Features(Settings):
    """Preprocessing follows the run's own facts, so there is little to set."""

    batch_size: int = Field(256, ge=1, description="images at once; moves the last bits of a feature")
