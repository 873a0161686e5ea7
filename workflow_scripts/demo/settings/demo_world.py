"""Settings of the stage ``demo_world``."""

from pydantic import Field, model_validator

from workflow_scripts.core.settings import Settings


class DemoWorld(Settings):
    """How large the demo world is, how its titles behave and which faults it has."""

    seed: int = Field(0, ge=0, description="every picture, title and fault follows from it")
    size: int = Field(48, ge=16, le=512, description="side of the pictures, pixels")
    images: int = Field(3000, ge=12, le=40_000, description="posts with a picture that can be fetched and a caption")
    faithful: float = Field(0.10, ge=0, le=1, description="share of titles that describe the picture in full")
    partial: float = Field(0.18, ge=0, le=1, description="share of titles that are half right")
    vague: float = Field(0.60, ge=0, le=1, description="share of titles that fit any picture")
    wrong: float = Field(0.12, ge=0, le=1, description="share of titles about something else")
    oversized: int = Field(40, ge=0, description="of the images: posted at twice the side, so that they are resized")
    dead_links: int = Field(60, ge=0, description="further posts whose url is answered by 404")
    placeholders: int = Field(30, ge=0, description="further posts whose url leads to removed.png")
    html_answers: int = Field(5, ge=0, description="further posts whose url is answered by a web page")
    repeated_ids: int = Field(12, ge=0, description="further rows that repeat an image id of the same file")
    empty_captions: int = Field(8, ge=0, description="further posts without a caption")
    probe_train: int = Field(600, ge=12, description="training images of every probe task")
    probe_test: int = Field(400, ge=12, description="test images of every probe task")
    masks: int = Field(204, ge=12, description="images with object masks")

    @model_validator(mode="after")
    def _adds_up(self) -> "DemoWorld":
        total = self.faithful + self.partial + self.vague + self.wrong
        if abs(total - 1) > 1e-9:
            raise ValueError(f"faithful + partial + vague + wrong is {total}, but shares of titles add up to 1")
        if max(self.oversized, self.repeated_ids) > self.images:
            raise ValueError(f"oversized and repeated_ids are at most images, {self.images}")
        return self
