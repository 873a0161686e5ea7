import pytest

from workflow_scripts.models.networks.view import View, view_of


@pytest.mark.parametrize(
    ("size", "crop", "side"),
    # Of torchvision: 256 and 232 of ResNet-50's weights. Of timm: rounded down, 248.9 with 0.9 and 235.8 with 0.95.
    [(224, 1.0, 224), (224, 0.875, 256), (224, 224 / 232, 232), (224, 0.9, 248), (224, 0.95, 235), (32, 0.875, 36)],
)
def test_the_shorter_side_follows_from_the_crop(size: int, crop: float, side: int) -> None:
    assert view_of(size, "bilinear", crop) == View(size=size, side=side, resize="bilinear")


def test_view_names_are_distinct_and_without_dots() -> None:
    names = [View(size=s, side=t, resize=r).name for s, t, r in ((224, 224, "bilinear"), (224, 256, "bicubic"))]
    assert names == ["224-bilinear", "224of256-bicubic"]
