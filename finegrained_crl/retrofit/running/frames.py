"""Who called? The frames of the running program, without PyTorch's, Python's and ours.

A call is known by its chain: each of the program's frames with the instruction it stands at. Walking it costs some
microseconds.
"""

from __future__ import annotations

import ast
import linecache
import os
import site
import sys
import sysconfig
from pathlib import Path
from types import CodeType, FrameType

from torch.autograd.function import FunctionCtx

from finegrained_crl.retrofit.reading.source import Source, parse_source
from finegrained_crl.retrofit.sites.place import Place

SKIP, OURS, LIBRARY, PROGRAM, COMPILED, CHECKPOINT, LOSS = range(7)
DEPTH = 60  # frames of the program looked at; recursion deeper than that tells nothing new
TRAINERS = frozenset(
    ("timm", "transformers", "lightning", "lightning_fabric", "pytorch_lightning", "fastai", "mmengine", "mmpretrain")
) | frozenset(("mmcls", "ultralytics", "accelerate"))
"""Libraries that train classifiers: their code is read like the program's, wherever it lies."""
PACKAGE = tuple({f"{file.parents[2]}{os.sep}" for file in (Path(__file__).absolute(), Path(__file__).resolve())})
"""Both spellings: the package may be installed as a link."""


class Frames:
    """Sorts code objects into the program's, libraries', PyTorch's and ours; gives places names relative to `root`.

    Args:
        root: the folder that file names are shown relative to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._kinds: dict[int, tuple[int, CodeType]] = {}
        self._sources: dict[str, Source] = {}
        paths = sysconfig.get_paths()
        self._standard = tuple(
            {os.path.realpath(paths[k]) + os.sep for k in ("stdlib", "platstdlib")}
            | {os.path.dirname(os.__file__) + os.sep}
        )
        packages = {paths["purelib"], paths["platlib"], *site.getsitepackages(), site.getusersitepackages()}
        # Both spellings: a frame names the file as it was imported, which may be through a link.
        spellings = [*packages, *map(os.path.realpath, packages)]
        self._packages = tuple({folder + os.sep for folder in spellings})
        self.torch_folder = tuple(
            os.path.dirname(sys.modules[n].__file__ or "") + os.sep for n in ("torch",) if n in sys.modules
        )

    def chain(self, frame: FrameType | None) -> tuple[int, ...] | None:
        """The key of a call: one pair (code, instruction) per frame of the program; None where a loss called."""
        key: list[int] = []
        kinds = self._kinds
        while frame is not None and len(key) < 2 * DEPTH:
            code = frame.f_code
            known = kinds.get(id(code))
            kind = known[0] if known is not None else self._sort(code)
            if kind == OURS:
                if not key:
                    return None
            elif kind == LOSS:  # a tensor subclass, or a function mode, that enters PyTorch's function again
                return None
            elif kind:
                key.append(id(code))
                key.append(frame.f_lasti)
            frame = frame.f_back
        return tuple(key)

    def frames(self, frame: FrameType | None) -> list[tuple[int, FrameType]]:
        """The same frames themselves, each with its kind, innermost first."""
        frames: list[tuple[int, FrameType]] = []
        while frame is not None and len(frames) < DEPTH:
            kind = self._sort(frame.f_code)
            if kind in (LIBRARY, PROGRAM, COMPILED):
                frames.append((kind, frame))
            frame = frame.f_back
        return frames

    def is_loss(self, code: CodeType) -> None:
        """Let a code object be known as PyTorch's loss: what calls a loss from inside it is no site."""
        self._kinds[id(code)] = (LOSS, code)

    def checkpoint(self, frame: FrameType | None) -> str:
        """Which pass of activation checkpointing a call is in: "first" (without gradients), "again", or "" for none."""
        names = set()
        while frame is not None:
            if self._sort(frame.f_code) == CHECKPOINT:
                names.add(frame.f_code.co_name)
            frame = frame.f_back
        if names & {"unpack_hook", "recompute_fn", "backward"}:
            return "again"
        return "first" if "forward" in names else ""

    def in_autograd_function(self, frame: FrameType | None) -> bool:
        """Whether a call is made by the `forward` of a `torch.autograd.Function` of the program."""
        for _, caller in self.frames(frame):
            first = caller.f_code.co_varnames[:1]
            context = caller.f_locals.get(first[0]) if first else None
            if caller.f_code.co_name == "forward" and isinstance(context, FunctionCtx):
                return True
        return False

    def _sort(self, code: CodeType) -> int:
        if id(code) not in self._kinds:
            self._kinds[id(code)] = (self._kind_of(code), code)  # holding the code keeps its id from being used again
        return self._kinds[id(code)][0]

    def _kind_of(self, code: CodeType) -> int:
        file = code.co_filename
        if file.startswith("<eval_with_key>"):
            return COMPILED
        if file.startswith("<frozen"):
            return SKIP
        file = os.path.abspath(file) if not file.startswith("<") else file
        if file.startswith(PACKAGE):
            return OURS
        if file.startswith(self.torch_folder) and self.torch_folder:
            return CHECKPOINT if file.endswith(os.path.join("utils", "checkpoint.py")) else SKIP
        if file.startswith(self._packages) and not self._is_program(file):
            return PROGRAM if self._package_of(file) in TRAINERS else LIBRARY
        return SKIP if file.startswith(self._standard) and not file.startswith(self._packages) else PROGRAM

    def _is_program(self, file: str) -> bool:
        """A program that is itself installed (`-m package`) is no library."""
        main = os.path.abspath(getattr(sys.modules.get("__main__"), "__file__", None) or "")
        base = next((p for p in self._packages if main.startswith(p)), None)
        return base is not None and file.startswith(base + main[len(base) :].partition(os.sep)[0])

    def library_of(self, frame: FrameType) -> str:
        """Name of the package that a library's frame belongs to."""
        return self._package_of(os.path.abspath(frame.f_code.co_filename))

    def _package_of(self, file: str) -> str:
        base = next((p for p in self._packages if file.startswith(p)), "")
        return file[len(base) :].partition(os.sep)[0].removesuffix(".py")

    def place_of(self, frame: FrameType) -> Place:
        """File (relative to the root where it lies inside), line and function."""
        return Place(
            self.name_of(frame.f_code.co_filename), frame.f_lineno, frame.f_code.co_qualname.replace(".<locals>", "")
        )

    def name_of(self, file: str) -> str:
        """A file's name as shown in receipts."""
        if file.startswith("<"):
            return file
        path = Path(os.path.realpath(file))
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        base = next((p for p in self._packages if str(path).startswith(p)), None)
        return str(path)[len(base) :] if base else path.as_posix()

    def source_of(self, frame: FrameType) -> Source:
        """The parsed file of a frame; notebook cells come from where tracebacks take them."""
        file = frame.f_code.co_filename
        if file not in self._sources:
            lines = linecache.getlines(file, frame.f_globals)
            self._sources[file] = parse_source(Path(file), "".join(lines).encode())
        return self._sources[file]

    def call_of(self, frame: FrameType) -> ast.Call | None:
        """The call expression that a frame is in the middle of."""
        tree = self.source_of(frame).tree
        positions = _position(frame)
        if tree is None or positions is None:
            return None
        # A call ends with a bracket of its own, so the end alone identifies it.
        return next(
            (n for n in ast.walk(tree) if isinstance(n, ast.Call) and (n.end_lineno, n.end_col_offset) == positions),
            None,
        )


def _position(frame: FrameType) -> tuple[int, int] | None:
    positions = list(frame.f_code.co_positions())
    index = frame.f_lasti // 2
    if not 0 <= index < len(positions):
        return None
    _, line, _, column = positions[index]
    return (line, column) if line is not None and column is not None else None
