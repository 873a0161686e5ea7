"""Stanford Cars."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision, by_split

SET = DownstreamSet(
    name="cars196",
    summary="car models (Krause et al. 2013, 3dRR)",
    metric="accuracy",
    sizes={"train": 8144, "test": 8041},
    classes=196,
    licence="not stated; its page is offline",
    homepage="https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
    archives={},
    place="stanford_cars/ with cars_train/, cars_test/, devkit/ and cars_test_annos_withlabels.mat",
    layout=Torchvision("StanfordCars", by_split("train", "test")),
)
