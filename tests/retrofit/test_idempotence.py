"""Nothing that our replacement calls is a site: CRL is computed once, however often PyTorch's function is entered."""

import pytest
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from finegrained_crl.losses import competing_ratio_loss
from finegrained_crl.retrofit import retrofit

torch.manual_seed(0)
Z, Y = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])


class Logged(torch.Tensor):
    """As fastai's tensors do: unwraps nothing, and calls the function again."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return super().__torch_function__(function, types, args, kwargs or {})


class CallsAgain(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def gradient(compute, logits):
    logits = logits.clone().requires_grad_()
    compute(logits).backward()
    return logits.grad


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_tensor_subclass_gets_crl_once(reduction):
    expected = competing_ratio_loss(Z, Y, reduction=reduction)
    with retrofit():
        value = F.cross_entropy(Z.clone().requires_grad_().as_subclass(Logged), Y, reduction=reduction)
    assert value.item() == pytest.approx(expected.item())


def test_a_function_mode_gets_crl_once():
    expected = gradient(lambda z: competing_ratio_loss(z, Y), Z)
    with retrofit() as receipt, CallsAgain():
        actual = gradient(lambda z: F.cross_entropy(z, Y), Z)
    assert torch.allclose(actual, expected)
    assert len([row for row in receipt.sites if row["action"] == "replace"]) == 1
