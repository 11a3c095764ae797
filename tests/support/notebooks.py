"""Runs the cells of a notebook in this process, without Jupyter.

`python tests/support/notebooks.py docs/notebooks/NAME.ipynb` runs them in a temporary folder and keeps what they print.
"""

import ast
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path


def read(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def run(notebook):
    """Run all code cells in one namespace; the outputs of each."""
    namespace = {"__name__": "__main__"}
    return [_run_cell("".join(cell["source"]), namespace) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _run_cell(source, namespace):
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        exec(compile(ast.Module(body, []), "cell", "exec"), namespace)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace) if last else None
    outputs = []
    if printed.getvalue():
        outputs.append(
            {"output_type": "stream", "name": "stdout", "text": printed.getvalue().splitlines(keepends=True)}
        )
    if value is not None:
        data = {"text/plain": repr(value).splitlines(keepends=True)}
        outputs.append({"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": None})
    return outputs


def keep_outputs(path):
    """Run a notebook in a temporary folder and write what its cells say into it."""
    notebook, before = read(path), Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        outputs = run(notebook)
        os.chdir(before)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, told) in enumerate(zip(cells, outputs, strict=True), 1):
        cell["outputs"], cell["execution_count"] = told, number
        for output in told:
            if output["output_type"] == "execute_result":
                output["execution_count"] = number
    Path(path).write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    keep_outputs(Path(sys.argv[1]).resolve())
