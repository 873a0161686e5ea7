"""Settings of the image_index stage."""

from workflow_scripts.core.settings import Settings


class ImageIndex(Settings):
    """The index has nothing to set: it lists every image that is there."""
