"""Shims: old and CUDA-only code runs when asked to, fails as ever when not, and each use is in the receipt."""

import pytest

OLD = """
import collections
import numpy as np
import PIL
from PIL import Image
from scipy.misc import imread
import torch
from torch.autograd import Variable
from torchvision import transforms
import old_part

assert not torch.cuda.is_available()
model = torch.nn.DataParallel(torch.nn.Linear(3, 4)).cuda()
device = torch.device("cuda:0,1")
x = Variable(torch.zeros(2, 3).cuda(async=True), volatile=True).to(device)
y = torch.zeros(2, device="cuda").type(torch.cuda.LongTensor)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", verbose=True)
loss = torch.nn.CrossEntropyLoss().cuda()(model(x), y)
loss.backward()
optimizer.step()
torch.cuda.synchronize()
assert isinstance(loss.data[0], float)
assert isinstance([], collections.Iterable)
assert torch.zeros(3, 2).t().view(-1).shape == (6,)
assert (np.int, np.float) == (int, float)
assert np.array([[1], [2, 3]]).dtype == object
assert np.array((np.array([7]), 0, 5)).reshape(1, 3).astype(int).tolist() == [[7, 0, 5]]
assert (PIL.PILLOW_VERSION, Image.ANTIALIAS) == (PIL.__version__, Image.LANCZOS)
transforms.Scale((4, 4))
print(__name__, __file__, old_part.moved(torch.ones(1)).item())
"""


@pytest.fixture
def old(workshop):
    (workshop.folder / "old.py").write_text(OLD)
    (workshop.folder / "old_part.py").write_text("def moved(x):\n    return x.cuda(async=True)\n")
    return workshop


def test_with_the_shims_the_old_program_runs_and_they_are_listed(old):
    pytest.importorskip("torchvision")
    done = old.retrofit("--shims", "cpu,old-torch", "--", "python", "old.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "__main__ old.py 1.0\n" or done.stdout.endswith("old.py 1.0\n")
    receipt = old.receipt()
    used = {(row["shim"], row["what"]) for row in receipt["shims"]}
    assert {shim for shim, _ in used} == {"cpu", "old-torch"}
    for what in (
        "Tensor.cuda() stays on the CPU",
        "torch.device(cuda) is the CPU",
        "torch.cuda.synchronize() does nothing",
    ):
        assert ("cpu", what) in used
    for what in (
        "loss.data[0] of a scalar is its number",
        "numpy.int",
        "numpy.array of lists of unequal length",
        "collections.Iterable",
        "ReduceLROnPlateau(verbose=) is left out",
    ):
        assert ("old-torch", what) in used
    lines = {row["what"]: row["site"] for row in receipt["shims"]}
    assert lines["loss.data[0] of a scalar is its number"].endswith("old.py:23")
    assert receipt["replaced_calls"] == 1


def test_without_them_it_fails_as_under_plain_python(old):
    plain, ours = old.python("old.py"), old.fresh_retrofit("--", "python", "old.py")
    assert plain.returncode == ours.returncode == 1
    assert ours.stderr.startswith(plain.stderr)
    assert "SyntaxError" in plain.stderr


def test_a_traceback_of_an_old_main_script_shows_no_frame_of_ours(old):
    (old.folder / "fails.py").write_text("import torch\nx = torch.ones(1).cuda(async=True)\nraise KeyError('mine')\n")
    done = old.retrofit("--shims", "cpu,old-torch", "--", "python", "fails.py", "a")
    assert done.returncode == 1
    assert "KeyError: 'mine'" in done.stderr
    assert "old_main" not in done.stderr
