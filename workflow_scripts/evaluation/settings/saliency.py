"""Settings of saliency evaluation."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings


class Saliency(Settings):
    """Grad-CAM against object masks."""

    layer: Literal["layer1", "layer2", "layer3", "layer4"] = Field(
        "layer4", description="stage of the network whose last block is explained"
    )
    thresholds: int = Field(101, ge=2, description="thresholds of the IoU curve, evenly from 0 to the map's maximum")
    gaussian_sigma: float = Field(0.25, gt=0, description="deviation of the centre Gaussian floor, in image sides")
    batch_size: int = Field(64, ge=1, description="images at once")
    examples: int = Field(8, ge=0, description="maps per set kept for the report, of the same images for every run")
    resamples: int = Field(2000, ge=100, description="bootstrap resamples over images")
    level: float = Field(0.95, gt=0, lt=1, description="confidence level of the intervals")
    seed: int = Field(0, ge=0, description="seed of the bootstrap and of the choice of examples")
