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


def test_scikit_learns_objective_leads_where_it_was_fitted() -> None:
    lgssl, sklearn = "linear_probe.lgssl.accuracy", "linear_probe.sklearn.accuracy"
    assert names.probe_objective([lgssl, sklearn, "knn.accuracy"]) == "sklearn"
    assert names.probe_objective(["linear_probe.other.accuracy", lgssl]) == "lgssl"
    assert names.probe_objective(["knn.accuracy"]) == "sklearn"
