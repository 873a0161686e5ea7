import pytest

from workflow_scripts.evaluation.contrasts.class_names import class_keys, common_classes, normalised


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Automobile", "car"),
        ("car", "car"),
        ("aeroplane", "airplane"),
        ("sea_horse", "sea horse"),
        ("ice-cream ", "ice cream"),
    ],
)
def test_names_are_normalised(name: str, found: str) -> None:
    assert normalised(name) == found


def test_a_name_that_a_set_has_twice_or_not_at_all_is_its_own() -> None:
    assert class_keys("a", ["Car", "automobile", "ship"], [0, 1, 2]) == ["a/0", "a/1", "boat"]
    assert class_keys("a", ["1", "?", "n02"], [0, 1, 2]) == ["a/0", "a/1", "n02"]
    assert class_keys("a", [], [3]) == ["a/3"] and class_keys("a", ["x", "y"], [1]) == ["y"]


def test_classes_that_sets_have_in_common() -> None:
    assert common_classes({"one": ["automobile", "frog"], "two": ["truck", "car"], "three": ["Frog"]}) == {
        "car": {"one": "automobile", "two": "car"},
        "frog": {"one": "frog", "three": "Frog"},
    }
