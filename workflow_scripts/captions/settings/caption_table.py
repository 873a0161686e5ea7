"""Settings of ``caption_table``."""

from workflow_scripts.core.settings import Settings


class CaptionTable(Settings):
    """Gathering has nothing to set."""
