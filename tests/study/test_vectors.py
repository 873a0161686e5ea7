from typing import Any

import pytest

from tests.study.config.configs import planned
from workflow_scripts.study.units import Units

RUNS = [{"method": "simclr", "pairs": "self", "augmentation": "crop"}]


def units(**change: Any) -> Units:
    none = {"pairs": [], "pair_quality": {"image_encoder": None}, "runs": RUNS}
    return planned("tests/config/tiny.yaml", change=none | change)


def test_vectors_of_images_are_needed_if_test_images_are_compared_by_them() -> None:
    without, given = units(leakage={"encoder": None}), units(leakage={"encoder": "blip2"})
    assert (
        without.needed("embed_images")
        == []
        == without.names("embed_tests")
        == without.read("leakage", "vectors", {"dataset": "masks"})
    )
    assert given.needed("embed_images") == ["blip2"] and "encoder-blip2" in given.needed("source")
    names = [f"{name}.blip2" for name in given.reported]
    assert given.needed("embed_tests") == given.needed("vector_matches") == names != []
    assert given.read("leakage", "vectors", {"dataset": "masks"}) == ["vector_matches/masks.blip2"]


def test_only_the_search_by_vectors_has_the_encoder_and_the_cosine_among_its_settings() -> None:
    given = units(leakage={"encoder": "blip2", "cosine": 0.7, "distance": 60})
    unit = {"dataset": "masks", "encoder": "blip2"}
    assert given.settings("vector_matches", unit) == {"cosine": 0.7}
    assert given.settings("leakage", unit) == {"distance": 60, "correlation": pytest.approx(0.93)}
    assert given.settings("embed_tests", unit) | {"parts": 1} == given.settings("embed_images", unit)
