"""Runs a main script that today's Python can't parse (`async=`), as `python script` would; used with the shim old-torch
only.
"""

import os
import sys


def _main() -> None:
    from finegrained_crl.retrofit.shims.old import compile_old

    del sys.argv[0]
    script = sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    with open(script, "rb") as file:
        code = compile_old(file.read(), script)
    assert code is not None
    main, system = sys.modules["__main__"], sys  # this module's names are about to become the program's
    for name in [n for n in vars(main) if not n.startswith("__")]:
        del vars(main)[name]
    main.__file__ = script
    try:
        exec(code, vars(main))
    except SystemExit:
        raise
    except BaseException as error:
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None  # without this frame
        system.excepthook(type(error), error, error.__traceback__)
        system.exit(130 if isinstance(error, KeyboardInterrupt) else 1)


if __name__ == "__main__":
    _main()
