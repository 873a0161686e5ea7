import torch

from workflow_scripts.pretraining.speed.transfer import pack


def test_tensors_of_any_type_and_shape_come_back_from_one_block() -> None:
    given = [
        torch.arange(6).reshape(2, 3).T,
        torch.rand(5),
        torch.zeros(0, dtype=torch.int64),
        torch.tensor([True, False, True]),
        torch.tensor(2.5, dtype=torch.float64),
    ]
    packed = pack(given)
    for one, other in zip(given, packed.on(torch.device("cpu")), strict=True):
        assert one.dtype == other.dtype and torch.equal(one, other)
        assert other.untyped_storage().data_ptr() == packed.block.untyped_storage().data_ptr()
    assert pack([]).on(torch.device("cpu")) == []
