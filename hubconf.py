"""Entry point of torch.hub: ``torch.hub.load(THIS_FOLDER, "network", EXPORTED_FOLDER, source="local")``."""

from workflow_scripts.export.hubconf import dependencies, network

__all__ = ["dependencies", "network"]
