"""Shapes of programs that names, guards and modes alone judge wrongly: each ends with the bits of its twin that was
edited by hand, or is reported with the true reason and exit code 3; none is silent.
"""

from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
FUNCTION = "another function of the target's probability"
REPORTED = {
    "compiled": "torch.compile",
    "crl_by_hand": "the program computes CRL",
    "crl_by_softmax": FUNCTION,
    "flooding": "goes through Abs",
    "focal": "focal loss",
    "focal_detached": "factors follow the loss's own value",
    "focal_of_mean": "focal loss",
    "focal_softmax": FUNCTION,
    "guard_property": "no backward pass went through 4 of 8",
    "perplexity": "perplexity",
    "poly1": FUNCTION,
    "poly1_exp": "Poly-1",
    "smoothing_by_hand": "label smoothing by hand",
    "vmapped": "torch.vmap",
}
SHAPES = sorted(path.stem for path in (PROGRAMS / "shapes").glob("*.py"))
UNTOUCHED = {"compiled", "vmapped"}  # refused before anything was replaced


@pytest.fixture(scope="module")
def shapes(make_workshop):
    """All shapes in one retrofitted process."""
    shop = make_workshop()
    done = shop.retrofit("--", "python", "many.py", *(f"shapes/{name}.py" for name in SHAPES))
    assert done.returncode == 3, done.stderr
    return shop, shop.edited(), shop.receipt()


@pytest.mark.parametrize("name", [name for name in SHAPES if name not in REPORTED])
def test_the_weights_are_those_of_the_twin_and_nothing_is_reported(shapes, name, same_bits):
    shop, edited, receipt = shapes
    weights = shop.weights(f"shapes/{name}.py.pt")
    assert same_bits(weights, edited.here(f"shapes/{name}.py"))
    assert not same_bits(weights, shop.here(f"shapes/{name}.py"))
    assert not [site for site in receipt["problems"] if site.startswith(f"shapes/{name}.py")]


@pytest.mark.parametrize("name", REPORTED)
def test_what_can_not_be_right_is_reported_with_its_reason(shapes, name, same_bits):
    shop, _, receipt = shapes
    problems = [text for site, text in receipt["problems"].items() if site.startswith(f"shapes/{name}.py")]
    assert any(REPORTED[name] in text for text in problems), problems
    plain = same_bits(shop.weights(f"shapes/{name}.py.pt"), shop.here(f"shapes/{name}.py"))
    assert plain == (name in UNTOUCHED)
