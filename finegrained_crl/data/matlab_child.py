"""The process behind `matlab.read_mat`: a .mat file from standard input, JSON to standard output; with a folder named,
each numeric variable into a .npy file there instead. Run as a script, alone.
"""

import contextlib
import io
import json
import sys
from typing import Any

REFUSED = 3
MOST_MEMORY = 4 << 30
"""Of address space; the libraries take more than one gigabyte of it before anything is read."""


def main() -> int:
    """Read, convert, write; one line on standard error where that fails."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # no such limits on Windows, or lower ones already
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        from scipy.io import loadmat

        if sys.argv[1:]:
            return _into(sys.argv[1], loadmat(sys.stdin.buffer))
        content = loadmat(io.BytesIO(sys.stdin.buffer.read()), squeeze_me=True)
        variables = {key: _flat(value) for key, value in content.items() if not key.startswith("__")}
        text = json.dumps(variables, default=str)
    except Exception as error:  # whatever a damaged file makes SciPy raise
        print((str(error) or type(error).__name__).splitlines()[0], file=sys.stderr)
        return REFUSED
    sys.stdout.write(text)
    return 0


def _into(folder: str, content: dict[str, Any]) -> int:
    """Names from the file are no file names: only plain words are kept."""
    import numpy as np

    for name, value in content.items():
        if name.isidentifier() and isinstance(value, np.ndarray) and value.dtype.kind in "uif":
            np.save(f"{folder}/{name}.npy", value, allow_pickle=False)
    return 0


def _flat(value: Any) -> Any:
    """A variable as a list, or as a dict of lists where it has fields."""
    import numpy as np

    array = np.atleast_1d(value).ravel()
    if array.dtype.names is None:
        return [_plain(entry) for entry in array]
    return {name: [_plain(entry) for entry in array[name].ravel()] for name in array.dtype.names}


def _plain(entry: Any) -> Any:
    return entry.tolist() if hasattr(entry, "tolist") else entry


if __name__ == "__main__":
    sys.exit(main())
