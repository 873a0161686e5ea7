"""A GPU that is none: tensors that say ``cuda`` and compute on the CPU, so that device code runs and is counted here.

An operation on tensors of both devices is an error, as on a GPU. Numbers are the CPU's, so results can be compared.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
INFERENCE = torch.device("cuda", 0)
GRADIENTS = torch.device("meta")  # autograd asks PyTorch's build for devices, and this one is in all builds
# The host waits until the device has computed the result, or its size.
WAITS = {
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.equal.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.repeat_interleave.Tensor,
    aten.bincount.default,
}
READS = {"item", "tolist", "__bool__", "__int__", "__float__", "__index__"}
ON_NUMBERS = {
    "scaled_dot_product_attention", "multi_head_attention_forward", "contiguous", "__invert__", "new_empty",
    "new_zeros", "new_ones", "new_full", "sub",
}  # fmt: skip
INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}


class OnGpu(torch.Tensor):
    """A tensor on the pretended GPU; ``held`` has its numbers."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor, device: torch.device) -> "OnGpu":
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=device,
        )
        made.held = held
        return cast(OnGpu, made)

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"OnGpu({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError("used outside of PretendGpu")


class PretendGpu(TorchDispatchMode):
    """Counts ``to_device``, ``to_host`` and ``waits``; a copy to the host that is not asynchronous also waits."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device
        self.counts: Counter[str] = Counter()
        self.seen: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch._C._dispatch_has_kernel_for_dispatch_key(function.name(), "CompositeImplicitAutograd"):
            with self:  # in inference mode, PyTorch has not taken it apart
                result = function.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        device = kwargs.get("device")
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        inside = any(isinstance(tensor, OnGpu) for tensor in tensors)
        outside = any(not isinstance(tensor, OnGpu) and tensor.dim() for tensor in tensors)
        wanted = torch.device(device).type if device is not None else self.device.type if inside else "cpu"
        self._count(function, args, inside, outside, wanted)
        given = tree_map(lambda leaf: leaf.held if isinstance(leaf, OnGpu) else leaf, (args, kwargs))
        if device is not None and wanted == self.device.type:
            given[1]["device"] = torch.device("cpu")
        if function in (aten.mm.dtype, aten.addmm.dtype):  # products whose sums are float32: on GPUs only
            given = tree_map(lambda leaf: leaf.float() if isinstance(leaf, torch.Tensor) else leaf, given[0][:-1]), {}
            function = aten.mm.default if len(given[0]) == 2 else aten.addmm.default
        if function is aten._to_copy.default and (wanted == self.device.type) != inside:
            result = function(*given[0], **given[1])
            result = result.clone() if result is given[0][0] else result
        elif function is aten._pin_memory.default or function is aten.is_pinned.default:
            return args[0] if function is aten._pin_memory.default else True
        else:
            result = function(*given[0], **given[1])
        if wanted != self.device.type:
            return result
        made = tree_map(lambda leaf: OnGpu(leaf, self.device) if isinstance(leaf, torch.Tensor) else leaf, result)
        return return_and_correct_aliasing(function, args, kwargs, made) if inside else made

    def _count(self, function: Any, args: Any, inside: bool, outside: bool, wanted: str) -> None:
        name = str(function)
        if function is aten._to_copy.default:
            if inside and wanted == "cpu":
                self.see("to_host", name)
            elif not inside and wanted == self.device.type:
                self.see("to_device", name)
            return
        if function in (aten.copy_.default, aten.set_.source_Tensor):
            target, source = isinstance(args[0], OnGpu), isinstance(args[1], OnGpu)
            if target != source:
                self.see("to_device" if target else "to_host", name)
            return
        if inside and outside and function not in INDEXED:
            raise AssertionError(f"{name}: tensors of both devices")
        if inside and function in INDEXED:
            self.see_places(name, [place for place in args[1] if place is not None])
        elif inside and function in WAITS:
            self.see("waits", name)

    def see_places(self, name: str, places: Sequence[torch.Tensor]) -> None:
        """Count an indexing: with a mask the host waits for the number of entries; places of the host are copied."""
        if any(place.dtype in (torch.bool, torch.uint8) for place in places):
            self.see("waits", name)
        if any(not isinstance(place, OnGpu) for place in places):
            self.see("to_device", name)

    def see(self, what: str, name: str) -> None:
        self.counts[what] += 1
        self.seen.append(f"{what} {name}")


class PythonSide(TorchFunctionMode):
    """What a PyTorch that is built for CPUs can't do with tensors of a GPU before it dispatches.

    ``cuda`` becomes ``cuda:0``, since the current device can't be looked up. Reading values and indexing are done on
    the numbers; an indexed tensor shares the memory of its source, as always.
    """

    def __init__(self, mode: PretendGpu) -> None:
        super().__init__()
        self.mode = mode

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def named(leaf: Any) -> Any:
            return INFERENCE if isinstance(leaf, str | torch.device) and str(leaf) == "cuda" else leaf

        args, kwargs = tree_map(named, (args, kwargs or {}))
        name = getattr(function, "__name__", "")
        if name == "tensor" and kwargs.get("device") is not None:  # made by C++, without asking the mode
            device = kwargs.pop("device")
            return function(*args, **kwargs).to(device)
        if self.mode.device == INFERENCE and args and isinstance(args[0], OnGpu):
            if name in ON_NUMBERS:
                held, named = tree_map(lambda leaf: leaf.held if isinstance(leaf, OnGpu) else leaf, (args, kwargs))
                return tree_map(
                    lambda leaf: OnGpu(leaf, INFERENCE) if isinstance(leaf, torch.Tensor) else leaf,
                    function(*held, **named),
                )
            held = tree_map(lambda leaf: leaf.held if isinstance(leaf, OnGpu) else leaf, args)
            if name == "copy_":
                if not isinstance(args[1], OnGpu):
                    self.mode.see("to_device", name)
                held[0].copy_(*held[1:])
                return args[0]
            if name in READS:
                self.mode.see("waits", name)
                return function(*held, **kwargs)
            if name in ("__getitem__", "__setitem__"):
                places = [leaf for leaf in tree_leaves(args[1:]) if isinstance(leaf, torch.Tensor)]
                self.mode.see_places(name, places)
                result = function(*held)
                return result if result is None else OnGpu(result, INFERENCE)
        return function(*args, **kwargs)


@contextmanager
def pretended(device: torch.device = INFERENCE) -> Iterator[PretendGpu]:
    """The mode, with choices of implementations that the CPU has, too."""
    torch._C._set_only_lift_cpu_tensors(True)
    torch.__future__.set_swap_module_params_on_conversion(True)
    mode = PretendGpu(device)
    try:
        with (
            torch.backends.cudnn.flags(enabled=False),
            mock.patch("torch.cuda._lazy_init"),
            mock.patch.object(torch.Tensor, "pin_memory", lambda tensor: tensor),
            mock.patch("torch._C._InferenceMode", lambda _: torch.no_grad()),  # which forbids views of wrapped weights
            mock.patch("torch.cuda.current_device", return_value=0),
            PythonSide(mode),
            mode,
        ):
            yield mode
    finally:
        torch._C._set_only_lift_cpu_tensors(False)
        torch.__future__.set_swap_module_params_on_conversion(False)
