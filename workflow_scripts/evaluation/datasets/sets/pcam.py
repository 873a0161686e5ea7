"""PatchCamelyon."""

from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet, Torchvision, by_split

SET = DownstreamSet(
    name="pcam",
    summary="lymph node tissue with and without tumour (Veeling et al. 2018, MICCAI)",
    metric="accuracy",
    sizes={"train": 262_144, "val": 32_768, "test": 32_768},
    classes=2,
    side=96,
    licence="CC0",
    homepage="https://github.com/basveeling/pcam",
    archives={
        "camelyonpatch_level_2_split_train_x.h5.gz": "1571f514728f59376b705fc836ff4b63",
        "camelyonpatch_level_2_split_train_y.h5.gz": "35c2d7259d906cfc8143347bb8e05be7",
        "camelyonpatch_level_2_split_valid_x.h5.gz": "d5b63470df7cfa627aeec8b9dc0c066e",
        "camelyonpatch_level_2_split_valid_y.h5.gz": "2b85f58b927af9964a4c15b8f7e8f179",
        "camelyonpatch_level_2_split_test_x.h5.gz": "d8c2d60d490dbd479f8199bdfa0cf6ec",
        "camelyonpatch_level_2_split_test_y.h5.gz": "60a7035772fbdb7f34eb86d4420cf66a",
    },
    place="",
    layout=Torchvision("PCAM", by_split("train", "val", "test"), paths="arrays"),
)
