"""Runs several programs in one process, each with a fresh random state and a file of its own for its weights."""

import runpy
import sys

import torch

FUNCTIONAL, LINEAR = torch.nn.functional.cross_entropy, torch.nn.Linear.__init__
for program in sys.argv[1:]:
    sys.argv = [program, f"{program}.pt"]
    runpy.run_path(program, run_name="__main__")
    torch.nn.functional.cross_entropy, torch.nn.Linear.__init__ = FUNCTIONAL, LINEAR
