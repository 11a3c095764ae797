"""What `--verify` compares: the untouched program's losses, bit for bit, with the replaced ones."""

import struct

import torch
from torch.nn import functional as F

from finegrained_crl.losses import competing_ratio_loss
from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.running.dispatch import Dispatcher
from finegrained_crl.retrofit.sites.settings import Settings

Z = torch.tensor([[1.0, 0.0, -1.0]], requires_grad=True)
Y = torch.tensor([0])


def seen(mode, folder):
    """What the hook gives in a mode, and the value that it writes down."""
    ledger = Ledger(folder)
    dispatcher = Dispatcher(Settings(root=str(folder), mode=mode, steps=9, phase="both"), ledger)
    hook = lambda: dispatcher.cross_entropy(Z, Y, None, None, -100, None, "mean", 0.0)  # noqa: E731
    value, _ = hook()
    (row,) = [row for row in ledger.rows if row["kind"] == "call"]
    ((bits,),) = row["values"]
    return value, struct.unpack(">d", bytes.fromhex(bits))[0]


def test_a_watched_program_computes_its_own_loss_and_it_is_written_down(tmp_path):
    value, written = seen("watch", tmp_path)
    assert value is None
    assert written == F.cross_entropy(Z, Y).item()


def test_a_run_computes_the_other_one_and_it_is_written_down(tmp_path):
    value, written = seen("run", tmp_path)
    assert value.item() == written == competing_ratio_loss(Z, Y).item()
