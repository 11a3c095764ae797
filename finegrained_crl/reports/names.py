"""What things of a study are called, for people."""

from __future__ import annotations

_TEXT = "ce crl nllr emd sord crl-sord dldl crl-dldl coral corn pod pedcc cdw-ce ovr-bce"
INITIALS = frozenset(_TEXT.split())


def variant_title(variant: str) -> str:
    """A variant's name for people: losses that are called by their initials stand in capitals.

    >>> variant_title("crl loss.alpha=2"), variant_title("focal")
    ('CRL loss.alpha=2', 'focal')
    """
    loss, space, settings = variant.partition(" ")
    return (loss.upper() if loss in INITIALS else loss) + space + settings
