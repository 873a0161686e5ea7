"""Settings of few-shot evaluation."""

from pydantic import Field

from workflow_scripts.core.settings import Settings


class FewShot(Settings):
    """Nearest prototype on frozen features; defaults are the original's."""

    episodes: int = Field(5000, ge=2, description="episodes per set")
    ways: int = Field(5, ge=2, description="classes per episode; a set with fewer uses all and records it")
    shots: int = Field(5, ge=1, description="support images per class, from the train split")
    queries: int = Field(6, ge=1, description="query images per class, from the test split")
    level: float = Field(0.95, gt=0, lt=1, description="confidence level of the interval")
    seed: int = Field(0, ge=0, description="seed of the episodes; with set and episode number it fixes each one")
