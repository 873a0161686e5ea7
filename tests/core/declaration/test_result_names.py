from workflow_scripts.core.declaration import result_names as names
from workflow_scripts.evaluation.saliency.maps.kinds import KINDS
from workflow_scripts.evaluation.saliency.scores import SCORES
from workflow_scripts.pretraining.settings import METHODS


def test_shared_names_are_those_of_the_registries() -> None:
    assert {names.UNTRAINED, names.SUPERVISED, names.EXTERNAL} <= METHODS.keys()
    assert METHODS[names.EXTERNAL].external
    roles = [KINDS[name].role for name in (names.LEADING, names.CHANCE, names.CEILING)]
    assert roles == ["own", "floor", "ceiling"]
    assert names.HEADLINE in SCORES
