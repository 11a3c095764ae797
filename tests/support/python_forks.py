"""`python PROGRAM ..` in forks of a process that has torch in memory: a start of a few hundredths of a second, not two.

A fork finds the world of a start of its own: environment, sys.path, the `sitecustomize` of PYTHONPATH, `__main__`, exit
code. What it finds more is torch, imported already. Linux only, like everything that forks with torch loaded.
"""

import atexit
import gc
import json
import multiprocessing.process
import os
import runpy
import subprocess
import sys
import threading
from contextlib import contextmanager
from types import ModuleType

LOADED = ("torch", "torch._dynamo")  # the second comes with the first update of an optimiser


class PythonForks:
    """The process and the programs that were forked from it, one at a time."""

    def __init__(self):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, __file__], env=environment, text=True, **pipes)
        self.output = {"stdout": os.devnull, "stderr": os.devnull}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Killed, not left to the end of its input: loader processes of other tests may have inherited the pipe.
        self.process.kill()
        self.process.communicate()

    def run(self, words, *, env, cwd):
        """Run `python WORDS` to its end; its exit code, -N where it died of signal N."""
        request = {"words": [str(word) for word in words], "env": dict(env), "cwd": str(cwd), **self.output}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    @contextmanager
    def written_to(self, stdout, stderr):
        """Files to which programs append what they say."""
        before, self.output = self.output, {"stdout": str(stdout), "stderr": str(stderr)}
        yield
        self.output = before

    def Popen(self, command, *, env, cwd=None):  # noqa: N802  (stands for `subprocess.Popen`)
        """A Python command that has been run; any other is started as ever."""
        if command[0] != sys.executable:
            return subprocess.Popen(command, env=env, cwd=cwd)
        return Ended(self.run(command[1:], env=env, cwd=cwd or os.getcwd()))


class Ended:
    """Stands for the process of a program that has run."""

    def __init__(self, code):
        self.code = code

    def wait(self, _timeout=None):
        return self.code


def serve():
    """Fork for each request; the request, in the fork."""
    answers = os.dup(1)  # programs get a stdout of their own
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os.close(answers)
            return request
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(answers, f"{code}\n".encode())
    return None


def become(request):
    """What the interpreter does before a program: environment, files, path, sitecustomize."""
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    multiprocessing.process.ORIGINAL_DIR = os.getcwd()  # where spawned processes look for the program
    for descriptor, path in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  (the program's own, to its end)
    sys.orig_argv = [sys.executable, *request["words"]]
    sys.path[:] = [*filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)), *sys.path[1:]]
    sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise


def run(words):
    """What `python WORDS` runs, as `__main__`."""
    if words[0] == "-m":
        sys.argv[:] = words[1:]
        sys.path.insert(0, os.getcwd())
        runpy._run_module_as_main(words[1])
        return
    main = ModuleType("__main__")
    main.__dict__.update(__file__=words[0], __builtins__=__builtins__, __annotations__={})
    sys.argv[:] = words
    sys.path.insert(0, os.path.dirname(os.path.realpath(words[0])))
    sys.modules["__main__"] = main
    with open(words[0], "rb") as file:
        code = compile(file.read(), words[0], "exec", dont_inherit=True)
    try:
        exec(code, main.__dict__)
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__.tb_next)  # without this frame
        sys.exit(1)


def end(code):
    """What the interpreter does at its end, but for taking the libraries apart: that copies all of their memory.

    The package's fork server ends its cells so, too, but foreign programs must not find the package imported.
    """
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if isinstance(code, str) else (code or 0) & 0xFF)


if __name__ == "__main__":
    for name in LOADED:
        __import__(name)
    gc.freeze()  # the end of a fork collects garbage: without this, among all of the libraries
    request = serve()
    if request is not None:
        become(request)
        try:
            run(request["words"])
        except SystemExit as stop:
            end(stop.code)
        end(0)
