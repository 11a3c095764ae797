"""`python tools/benchmark.py NAME ...` runs tools/benchmarks/NAME.py; each file there has `summary` and `main(argv) ->
int`."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "datasets")]


def load(path: Path) -> ModuleType:
    """Import a file of tools/benchmarks, which is no package."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


def main(argv: list[str]) -> int:
    """Run one benchmark, or list them."""
    known = {path.stem: path for path in sorted((ROOT / "tools" / "benchmarks").glob("*.py"))}
    if not argv or argv[0] not in known:
        print("usage: python tools/benchmark.py NAME [options]    (NAME --help for its options)\n")
        for name, path in known.items():
            print(f"  {name:10} {load(path).summary}")
        return 0 if argv in ([], ["--help"], ["-h"]) else 1
    return int(load(known[argv[0]]).main(argv[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
