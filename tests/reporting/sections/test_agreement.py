"""Agreement of pair tables: shared images only, with an interval, each pair of tables once."""

import pytest

from workflow_scripts.reporting.provenance import Source
from workflow_scripts.reporting.sections.agreement import Partners, agreement
from workflow_scripts.stats.intervals import wilson

SOURCE = Source("pair_table/a.parquet", "abcdef0123", "a-1")


def partners(name: str, **target: str) -> Partners:
    return Partners(name, target, SOURCE)


def test_share_of_images_with_the_same_partner() -> None:
    first = partners("a", k0="x", k1="y", k2="z", k3="x")
    second = partners("b", k0="x", k1="x", k2="z", k9="x")
    third = partners("c", k7="x")
    (one, (with_first,)), (two, with_others) = agreement([first, second, third])
    assert (one, two) == ("b", "c")
    assert with_first.text == "0.667"
    assert with_first.interval == "{:.3f}–{:.3f}".format(*wilson(2 / 3, 3)[1:])
    assert with_first.title.endswith("same first partner as in a, n = 3")
    assert [cell.text for cell in with_others] == ["—", "—"]


@pytest.mark.parametrize("tables", [[], [partners("a", k0="x")]])
def test_nothing_to_compare(tables: list[Partners]) -> None:
    assert agreement(tables) == []
