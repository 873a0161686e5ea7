import torch

from workflow_scripts.models.preprocessing import normalise


def test_normalising_does_not_depend_on_the_memory_format() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((3, 3, 5, 7), (0, 3, 4, 4), (2, 3, 1, 1)):
        images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        for given in (images, images.float()):
            last = given.contiguous(memory_format=torch.channels_last)
            before = last.clone()
            assert torch.equal(normalise(last), normalise(given.contiguous()))
            assert torch.equal(last, before)
            assert normalise(last).is_contiguous(memory_format=torch.channels_last)
