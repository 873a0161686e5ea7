"""Parts of divided work cover all rows, once, in order, and do not separate what belongs together."""

from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.core.declaration.parts import WHOLE, Part, named_part, part_names


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 20))
def test_rows(count: int, parts: int, together: int) -> None:
    ranges = [Part(number, parts).rows(count, together) for number in range(parts)]
    assert [row for one in ranges for row in one] == list(range(count)) == list(WHOLE.rows(count))
    assert all(one.start % together == 0 or not one for one in ranges)
    groups = [-(-len(one) // together) for one in ranges]
    assert max(groups) - min(groups) <= 1


def test_names() -> None:
    assert part_names(1) == []
    assert part_names(3) == ["1-of-3", "2-of-3", "3-of-3"]
    assert [named_part(name) for name in part_names(2)] == [Part(0, 2), Part(1, 2)]
