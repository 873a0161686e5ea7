import torch
from torch import nn

from workflow_scripts.pretraining.monitor.probing import IMAGES, FirstBatch


def test_of_a_large_batch_only_the_images_that_are_watched_stay_in_memory() -> None:
    views = [torch.randn(IMAGES + 50, 3, 2, 2, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    watched = FirstBatch(views)
    assert sum(view.untyped_storage().nbytes() for view in watched._views) == 2 * IMAGES * 3 * 2 * 2 * 4
    found = watched(nn.Flatten(), torch.device("cpu"))
    assert found == FirstBatch([view[:IMAGES] for view in views])(nn.Flatten(), torch.device("cpu"))
