"""Runs at the start of every Python process under `fgcrl retrofit run`, found through PYTHONPATH; prepares, imports no
torch.

It takes its own folder off `sys.path`, runs the `sitecustomize` that would have been found without it, and waits for
torch.
"""

import os
import sys


def _chain() -> None:
    """Run the machine's own sitecustomize, under its name."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _arm(settings: str) -> None:
    """Load `finegrained_crl.retrofit.running.arming` from beside this file, whatever `sys.path` holds."""
    from importlib.util import module_from_spec, spec_from_file_location

    package = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
    if "finegrained_crl" not in sys.modules:
        spec = spec_from_file_location(
            "finegrained_crl", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
        )
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        sys.modules["finegrained_crl"] = module
        spec.loader.exec_module(module)
    from finegrained_crl.retrofit.running import arming

    arming.arm(settings)


if "FGCRL_RETROFIT" in os.environ and __name__ == "sitecustomize":
    _here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != _here]
    _chain()  # first: what follows watches the imports of the program alone
    if os.path.exists(os.environ["FGCRL_RETROFIT"]):
        _arm(os.environ["FGCRL_RETROFIT"])
    is_over = True  # from here on running/arming.py may forget this module
