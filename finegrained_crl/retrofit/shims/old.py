"""Shim `old-torch`: what code of torch 0.3 to 1.x, and of its time, finds missing today."""

from __future__ import annotations

import ast
import functools
import importlib.machinery
import sys
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any

from finegrained_crl.retrofit.reading.source import ASYNC_KEYWORD

Note = Callable[[str], None]
ABSTRACT = (
    "Iterable",
    "Iterator",
    "Mapping",
    "MutableMapping",
    "Sequence",
    "MutableSequence",
    "Callable",
    "Set",
    "Hashable",
    "Sized",
)


def standard_library(note: Note) -> None:
    """Names that moved from `collections` to `collections.abc` in Python 3.10, and `time.clock`."""
    import collections
    import collections.abc
    import time

    collections.__dict__.setdefault(
        "__getattr__", _fallback("collections", {n: getattr(collections.abc, n) for n in ABSTRACT}, note)
    )
    time.__dict__.setdefault("__getattr__", _fallback("time", {"clock": time.perf_counter}, note))


def source_code(note: Note) -> None:
    """Read `async=` in imported files as the argument that it was: `non_blocking=`."""
    before = importlib.machinery.SourceFileLoader.source_to_code

    def source_to_code(self: Any, data: Any, path: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return before(self, data, path, *args, **kwargs)
        except SyntaxError:
            code = compile_old(bytes(data), str(path)) if isinstance(data, bytes | bytearray) else None
            if code is None:
                raise
            note(f"`async=` reads `non_blocking=` in {path}")
            return code

    importlib.machinery.SourceFileLoader.source_to_code = source_to_code  # type: ignore[assignment,method-assign]
    sys.dont_write_bytecode = True  # a cached translation would make plain Python accept the file, too


def compile_old(data: bytes, path: str) -> CodeType | None:
    """Compile a file with `async=` arguments; None where that is not what is wrong with it. Positions stay those of the
    file.
    """
    if not ASYNC_KEYWORD.search(data):
        return None
    try:
        tree = ast.parse(ASYNC_KEYWORD.sub(b"asynk", data), path)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "asynk":
            node.arg = "non_blocking"
    return compile(tree, path, "exec", dont_inherit=True)


def _fallback(module: str, names: dict[str, Any], note: Note) -> Callable[[str], Any]:
    def missing(name: str) -> Any:
        if name in names:
            note(f"{module}.{name}")
            return names[name]
        raise AttributeError(f"module '{module}' has no attribute '{name}'")

    return missing


def _add(module: ModuleType, names: dict[str, Any], note: Note) -> None:
    """Answer for missing names, before the module's own `__getattr__` refuses them."""
    own = module.__dict__.get("__getattr__")

    def answer(name: str) -> Any:
        if name in names:
            note(f"{module.__name__}.{name}")
            return names[name]
        if own is not None:
            return own(name)
        raise AttributeError(f"module '{module.__name__}' has no attribute '{name}'")

    module.__dict__["__getattr__"] = answer


def _torch(torch: Any, note: Note) -> None:
    _indexing(torch, note)
    _views(torch, note)
    _schedulers(torch, note)
    _loading(torch, note)
    _variables(torch, note)
    loader = torch.utils.data.dataloader._BaseDataLoaderIter

    def next_batch(self: Any) -> Any:
        note("iterator.next()")
        return next(self)

    loader.next = next_batch


def _indexing(torch: Any, note: Note) -> None:
    before = torch.Tensor.__getitem__

    @functools.wraps(before)
    def getitem(self: Any, index: Any) -> Any:
        if type(index) is int and index == 0 and self.dim() == 0:
            note("loss.data[0] of a scalar is its number")
            return self.item()
        return before(self, index)

    torch.Tensor.__getitem__ = getitem


def _views(torch: Any, note: Note) -> None:
    before = torch.Tensor.view

    @functools.wraps(before)
    def view(self: Any, *shape: Any) -> Any:
        try:
            return before(self, *shape)
        except RuntimeError as error:
            if "not compatible with input tensor's size and stride" not in str(error):
                raise
            note(".view() of a tensor that is not contiguous copies it")
            return self.reshape(*shape)

    torch.Tensor.view = view


def _schedulers(torch: Any, note: Note) -> None:
    schedulers = torch.optim.lr_scheduler
    for cls in {v for v in vars(schedulers).values() if isinstance(v, type) and "__init__" in vars(v)}:
        if not cls.__name__.startswith("_") and hasattr(cls, "step"):
            cls.__init__ = _without_verbose(cls.__init__, cls.__name__, note)  # type: ignore[misc]


def _without_verbose(before: Callable[..., None], name: str, note: Note) -> Callable[..., None]:
    @functools.wraps(before)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs.pop("verbose", None) is not None:
            note(f"{name}(verbose=) is left out")
        before(self, *args, **kwargs)

    return init


def _loading(torch: Any, note: Note) -> None:
    before = torch.load

    @functools.wraps(before)
    def load(*args: Any, **kwargs: Any) -> Any:
        if "weights_only" not in kwargs:
            note("torch.load unpickles whole objects (weights_only=False)")
            kwargs["weights_only"] = False
        return before(*args, **kwargs)

    torch.load = load


def _variables(torch: Any, note: Note) -> None:
    """`Variable(x, volatile=True)` was `torch.no_grad()` for one tensor."""
    real = torch.autograd.Variable

    class Kind(type(real)):  # type: ignore[misc]
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if kwargs.pop("volatile", None):
                note("Variable(volatile=True): the argument is ignored, as torch has done since 0.4")
            return real(*args, **kwargs)

    variable = Kind("Variable", (real,), {})
    torch.autograd.Variable = torch.autograd.variable.Variable = variable


def _numpy(numpy: Any, note: Note) -> None:
    names = {"int": int, "float": float, "bool": bool, "object": object, "str": str, "complex": complex, "long": int}
    more = {
        "product": "prod",
        "cumproduct": "cumprod",
        "in1d": "isin",
        "row_stack": "vstack",
        "float_": "float64",
        "Inf": "inf",
        "NaN": "nan",
    }
    _add(numpy, names | {old: getattr(numpy, new) for old, new in more.items() if hasattr(numpy, new)}, note)
    _ragged(numpy, note)


def _ragged(numpy: Any, note: Note) -> None:
    """Lists of unequal length made an array of objects; today they are refused."""
    make = numpy.array

    @functools.wraps(make)
    def array(*args: Any, **options: Any) -> Any:
        try:
            return make(*args, **options)
        except ValueError as error:
            if "inhomogeneous" not in str(error) or len(args) > 1 or "dtype" in options:
                raise
            note("numpy.array of lists of unequal length")
            if all(numpy.size(part) == 1 for part in args[0]):  # numbers, some of them in arrays of their own
                return make([numpy.asarray(part).item() for part in args[0]], **options)
            return make(*args, dtype=object, **options)

    numpy.array = array


def _pillow(pil: Any, note: Note) -> None:
    _add(pil, {"PILLOW_VERSION": pil.__version__}, note)


def _image(image: Any, note: Note) -> None:
    _add(image, {"ANTIALIAS": image.LANCZOS, "LINEAR": image.BILINEAR, "CUBIC": image.BICUBIC}, note)


def _scipy(scipy: Any, note: Note) -> None:
    try:
        import scipy.misc as misc
    except ImportError:
        misc = ModuleType("scipy.misc")
        sys.modules["scipy.misc"] = scipy.misc = misc
    _add(misc, {"imread": _imread, "imresize": _imresize, "imsave": _imsave}, note)


def _imread(name: Any, flatten: bool = False, mode: str | None = None) -> Any:
    import numpy
    from PIL import Image

    with Image.open(name) as image:
        wanted = "F" if flatten else mode
        return numpy.array(image.convert(wanted) if wanted else image)


def _imresize(array: Any, size: Any, interp: str = "bilinear", mode: str | None = None) -> Any:
    import numpy
    from PIL import Image

    image = Image.fromarray(array, mode)
    if isinstance(size, int):
        size = tuple(int(side * size / 100) for side in image.size)
    elif isinstance(size, float):
        size = tuple(int(side * size) for side in image.size)
    else:
        size = (size[1], size[0])
    return numpy.array(image.resize(size, getattr(Image.Resampling, interp.upper())))


def _imsave(name: Any, array: Any) -> None:
    from PIL import Image

    Image.fromarray(array).save(name)


def _transforms(transforms: Any, note: Note) -> None:
    _add(transforms, {"Scale": transforms.Resize, "RandomSizedCrop": transforms.RandomResizedCrop}, note)


def _models(models: Any, note: Note) -> None:
    """`torchvision.models.utils` and `.resnet.model_urls` held where weights come from."""
    from torch.hub import load_state_dict_from_url

    utils = ModuleType("torchvision.models.utils")
    _add(utils, {"load_state_dict_from_url": load_state_dict_from_url}, note)
    sys.modules.setdefault("torchvision.models.utils", utils)


ACTIONS: dict[str, Callable[..., None]] = {
    "torch": _torch,
    "numpy": _numpy,
    "PIL": _pillow,
    "PIL.Image": _image,
    "scipy": _scipy,
    "torchvision.transforms": _transforms,
    "torchvision.models": _models,
}
