import random

import pytest

from tests.workflow.checkout import Checkout
from tests.workflow.two_runs import TwoRuns

pytestmark = pytest.mark.slow


def test_two_runs_never_mix_their_settings(nano: Checkout) -> None:
    runs, chance = TwoRuns(nano, nano.folder.with_name("other")), random.Random(1)
    ends = [runs.race(chance, number) for number in range(3)]
    assert any("refused" in end for end in ends) and "equal settings: both ended" in ends, ends
