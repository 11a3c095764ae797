"""Names of variants, as people read them."""

import pytest

from finegrained_crl.losses.catalogue import LOSSES
from finegrained_crl.reports.names import INITIALS, variant_title


@pytest.mark.parametrize(("name", "title"), [("ce lr=0.1", "CE lr=0.1"), ("focal", "focal"), ("crl-sord", "CRL-SORD")])
def test_initials_stand_in_capitals(name, title):
    assert variant_title(name) == title


def test_every_initial_is_a_loss():
    assert set(LOSSES) >= INITIALS
