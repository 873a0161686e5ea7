"""Against a plain set."""

from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.acquisition.annotations.counting import IdSet

ids = st.text("abAB01_-", min_size=1, max_size=12)


@given(st.lists(st.lists(ids, max_size=30), max_size=6))
def test_id_set_equals_a_plain_set(batches: list[list[str]]) -> None:
    seen, known = IdSet(), set()
    for batch in batches:
        expected = []
        for one in batch:
            expected.append(one not in known)
            known.add(one)
        assert seen.first_seen(batch).tolist() == expected
