"""In a process of the retrofitted program: wait until torch has been imported, then instrument its losses.

Nothing heavier than the standard library is loaded before the program itself asks for torch.
"""

from __future__ import annotations

import atexit
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.sites.settings import Settings, read_settings


class AfterImport(MetaPathFinder):
    """Calls a function as soon as a module has been imported, by whom ever.

    Args:
        actions: module name -> what to do with the module.
    """

    def __init__(self, actions: dict[str, Callable[[ModuleType], None]]) -> None:
        self.actions = actions
        self._busy: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the module as everybody would, with a loader that tells us when it is done."""
        _hide_hook()
        if fullname not in self.actions or fullname in self._busy:
            return None
        self._busy.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._busy.discard(fullname)
        if spec is not None and spec.loader is not None:
            _tell(spec.loader, self.actions[fullname])
        return spec


def _hide_hook() -> None:
    """Plain Python has no sitecustomize here; ours can be forgotten as soon as its own import is over.

    It is not yet where torch is older than the hook (a .pth file imports it): then arming happens in that import.
    """
    hook = sys.modules.get("sitecustomize")
    is_ours = str(getattr(hook, "__file__", "")).startswith(str(Path(__file__).parent / "hook"))
    if is_ours and getattr(hook, "is_over", False):
        del sys.modules["sitecustomize"]


def _tell(loader: Loader, action: Callable[[ModuleType], None]) -> None:
    load = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        loader.__dict__.pop("exec_module", None)
        load(module)
        action(module)

    loader.__dict__["exec_module"] = exec_module  # this loader object alone, which serves this module alone


def arm(path: str) -> None:
    """Prepare this process.

    Args:
        path: of the settings' file.
    """
    settings = read_settings(path)
    ledger = Ledger(Path(settings.folder))
    ledger.state(argv=sys.orig_argv, python=sys.version.split()[0], executable=sys.executable)
    if settings.shims:
        from finegrained_crl.retrofit.shims import install as shims

        shims.install_early(settings.shims, ledger)
    after = actions(settings, ledger)
    sys.meta_path.insert(0, AfterImport(after))
    for name in [name for name in after if name in sys.modules]:  # by the machine's own sitecustomize
        after[name](sys.modules[name])


def actions(settings: Settings, ledger: Ledger) -> dict[str, Callable[[ModuleType], None]]:
    """What to do after which import."""
    state: dict[str, Any] = {}

    def torch_is_here(torch: ModuleType) -> None:
        from finegrained_crl.retrofit.running.hooks import Instruments
        from finegrained_crl.retrofit.running.recorder import Recorder

        if settings.mode != "patched":
            instruments = state["instruments"] = Instruments(settings, ledger)
            atexit.register(instruments.dispatcher.account.stretches.finish)
        if settings.record:
            Recorder(settings, ledger).start()
        ledger.state(torch=str(torch.__version__), armed=True)
        _seed(torch, settings)

    def timm_is_here(_: ModuleType) -> None:
        if "instruments" in state:
            state["instruments"].reach_timm()

    present = {"torch": torch_is_here, "timm.loss.cross_entropy": timm_is_here}
    if settings.shims:
        from finegrained_crl.retrofit.shims import install as shims

        for name, action in shims.late_actions(settings.shims, ledger).items():
            present[name] = _both(present[name], action) if name in present else action
    return present


def _both(first: Callable[[ModuleType], None], second: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def action(module: ModuleType) -> None:
        first(module)
        second(module)

    return action


def _seed(torch: ModuleType, settings: Settings) -> None:
    """With --verify only: start every random generator alike, so that two runs can be compared."""
    if settings.seed is not None:
        import random

        random.seed(settings.seed)
        torch.manual_seed(settings.seed)
        numpy: Any = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed(settings.seed)
