"""Shim `cpu`: code that moves everything to CUDA runs on a machine that has none."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

FACTORIES = (
    "zeros", "ones", "empty", "full", "rand", "randn", "randint",
    "randperm", "arange", "linspace", "eye", "tensor", "as_tensor",
    "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like",
)  # fmt: skip
QUIET = ("synchronize", "empty_cache", "set_device", "reset_peak_memory_stats", "init")
TYPES = ("Float", "Double", "Half", "Long", "Int", "Short", "Char", "Byte", "Bool")
Note = Callable[[str], None]


def torch_on_cpu(torch: Any, note: Note) -> None:
    """Make `.cuda()` and devices named cuda mean the CPU; nothing happens where CUDA is there."""
    if torch.cuda.is_available():
        return
    _moves(torch, note)
    _devices(torch, note)
    _cuda_module(torch, note)
    _parallel(torch, note)


def _is_cuda(value: object) -> bool:
    return (isinstance(value, str) and value.startswith("cuda")) or getattr(value, "type", "") == "cuda"


def _to_cpu(value: object) -> object:
    return "cpu" if _is_cuda(value) else value


def _moves(torch: Any, note: Note) -> None:
    for owner in (torch.Tensor, torch.nn.Module):
        owner.cuda = _stay(owner.__name__, note)
        owner.to = _redirected(owner.to, f"{owner.__name__}.to(cuda)", note)
    for name in ("new_zeros", "new_ones", "new_tensor", "new_full", "new_empty"):
        setattr(torch.Tensor, name, _redirected(getattr(torch.Tensor, name), f"Tensor.{name}(device=cuda)", note))


def _stay(kind: str, note: Note) -> Callable[..., Any]:
    def cuda(self: Any, *args: Any, **kwargs: Any) -> Any:
        note(f"{kind}.cuda() stays on the CPU")
        return self

    return cuda


def _redirected(function: Callable[..., Any], what: str, note: Note) -> Callable[..., Any]:
    @functools.wraps(function)
    def redirected(*args: Any, **kwargs: Any) -> Any:
        if any(_is_cuda(value) for value in (*args[1:], kwargs.get("device"))):
            note(f"{what} stays on the CPU")
            args = (*args[:1], *map(_to_cpu, args[1:]))
            kwargs = {name: _to_cpu(value) for name, value in kwargs.items()}
        return function(*args, **kwargs)

    return redirected


def _devices(torch: Any, note: Note) -> None:
    real = torch.device

    class Kind(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, real)

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if any(isinstance(v, str) and v.startswith("cuda") for v in (*args, *kwargs.values())) or (
                args and isinstance(args[0], int)
            ):
                note("torch.device(cuda) is the CPU")
                return real("cpu")
            return real(*args, **kwargs)

    torch.device = Kind("device", (), {"__doc__": real.__doc__})
    for name in FACTORIES:
        setattr(torch, name, _factory(getattr(torch, name), name, note))
    torch.load = _loading(torch.load, note)


def _factory(function: Callable[..., Any], name: str, note: Note) -> Callable[..., Any]:
    @functools.wraps(function)
    def made(*args: Any, **kwargs: Any) -> Any:
        if kwargs and _is_cuda(kwargs.get("device")):
            note(f"torch.{name}(device=cuda) is made on the CPU")
            kwargs["device"] = "cpu"
        return function(*args, **kwargs)

    return made


def _loading(load: Callable[..., Any], note: Note) -> Callable[..., Any]:
    @functools.wraps(load)
    def loaded(f: Any, map_location: Any = None, *args: Any, **kwargs: Any) -> Any:
        if map_location is None or _is_cuda(map_location):
            note("torch.load puts tensors on the CPU")
            map_location = "cpu"
        return load(f, map_location, *args, **kwargs)

    return loaded


def _cuda_module(torch: Any, note: Note) -> None:
    cuda: ModuleType = torch.cuda
    for name in QUIET:
        setattr(cuda, name, _silent(name, note))
    for kind in TYPES:
        setattr(cuda, f"{kind}Tensor", getattr(torch, f"{kind}Tensor"))
    default = torch.set_default_tensor_type

    def set_default_tensor_type(kind: Any) -> None:
        if isinstance(kind, str) and "cuda." in kind:
            note("set_default_tensor_type(cuda) is the CPU's")
        default(kind.replace("cuda.", "") if isinstance(kind, str) else kind)

    torch.set_default_tensor_type = set_default_tensor_type


def _silent(name: str, note: Note) -> Callable[..., None]:
    def nothing(*args: Any, **kwargs: Any) -> None:
        note(f"torch.cuda.{name}() does nothing")

    return nothing


def _parallel(torch: Any, note: Note) -> None:
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    before = DistributedDataParallel.__init__

    @functools.wraps(before)
    def without_devices(
        self: Any, module: Any, device_ids: Any = None, output_device: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        if device_ids:
            note("DistributedDataParallel(device_ids=..) runs on the CPU")
        before(self, module, None, None, *args, **kwargs)

    DistributedDataParallel.__init__ = without_devices  # type: ignore[method-assign]
    if not dist.is_available():
        return
    start = dist.init_process_group

    @functools.wraps(start)
    def with_gloo(backend: Any = None, *args: Any, **kwargs: Any) -> Any:
        if backend == "nccl":
            note("init_process_group(nccl) uses gloo")
        return start("gloo" if backend == "nccl" else backend, *args, **kwargs)

    dist.init_process_group = with_gloo
