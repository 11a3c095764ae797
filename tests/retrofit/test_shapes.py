"""Shapes of programs that names, guards and modes alone judge wrongly: each ends with the bits of its twin that was
edited by hand, or is reported with the true reason and exit code 3; none is silent.
"""

from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
FUNCTION = "another function of the target's probability"
FOLLOWS = "factors follow the loss's own value"
IDLE = "no backward pass went through 4 of 8"
NEVER = "no backward pass reached parameters"
ATTACK = "no parameter was changed by them"
ITSELF = "a function of itself"
GRADIENT = "its gradient is that of a cross-entropy"
HAND = "the target's probability that is written by hand"
TABLE = "towards soft labels that several rows share"
LAYER = "is trained from here without any replaced loss"
BESIDE = "is also trained from here, by what is no replaced loss"
BINARY = "a binary cross-entropy of one logit"
UNDONE = "were undone by a state that was loaded again, and training went on"
VALUES = "its value alone may train"
ADVICE = "it stays the program's own"
NLL = "its input does not come from log_softmax"
REPORTED = {
    # ingredients of another loss
    "focal": "focal loss",
    "focal_of_mean": "focal loss",
    "gce": "Exp, Pow",
    "poly1_exp": "Poly-1",
    "focal_softmax": FUNCTION,
    "poly1": FUNCTION,
    "poly_view": FUNCTION,
    "nll_poly": FUNCTION,
    "symmetric": FUNCTION,
    "two_class_poly": FUNCTION,
    "crl_by_softmax": FUNCTION,
    "focal_detached": FOLLOWS,
    "self_paced": FOLLOWS,
    "softmax_detached": FOLLOWS,
    "small_batch_focal": FOLLOWS,
    "crl_by_hand": "the program computes CRL",
    "perplexity": "perplexity",
    "flooding": "through Abs",
    "square": "through Pow",
    "log1p": "through Log1P",
    "tanh": "through Tanh",
    "clamped": "through Clamp",
    "margin_softplus": "through Softplus",
    "max_with_constant": "through Maximum",
    "own_function": "through Focal",
    "times_itself": ITSELF,
    "over_itself": ITSELF,
    "ldl_mean_log": "through Log",
    "rsqrt": "through Rsqrt",
    "logsumexp_rows": "through Logsumexp",
    "bootstrapped": "through Pow",
    "tsallis": "through Exp",
    "half_poly": FUNCTION,
    "poly_other_view": HAND,
    "crl_own_forward": HAND,
    "temperature_hand": HAND,
    "detached_scale_rows": FOLLOWS,
    "rank_weights": FOLLOWS,
    "focal_no_grad_alpha": FOLLOWS,
    "through_numpy_weight": FOLLOWS,
    "asymmetric_weight": FOLLOWS,
    "std_rows": "a negative factor",
    "focal_after_warm_up": "Exp, Pow",
    "focal_late": FOLLOWS,
    "focal_row_by_row": FOLLOWS,
    "weighted_by_second_call": FOLLOWS,
    "focal_subclass": "focal loss",
    "poly_soft": "another function of the targets' probabilities",
    "poly_smoothed": FUNCTION,
    "smoothing_by_hand": "label smoothing by hand",
    "smoothing_of_scaled_logits": "label smoothing by hand",
    "smoothing_of_adjusted_logits": "label smoothing by hand",
    "smoothing_in_one_of_two_heads": "label smoothing by hand",
    "poly_of_cut_logits": FUNCTION,
    "negative": "a negative factor",
    # evaluation, and what is no training
    "guard_property": IDLE,
    "matched": IDLE,
    "method_guard": IDLE,
    "get_guard": IDLE,
    "try_guard": IDLE,
    "env_guard": IDLE,
    "callback": IDLE,
    "guard_walrus": IDLE,
    "backward_thrown_away": "gradients of 4 of 8 calls were thrown away",
    "thrown_away_on_one_line": "of 8 calls were thrown away",
    "thrown_away_by_none": "of 8 calls were thrown away",
    "best_of_two": NEVER,
    "only_logged": NEVER,
    "no_hints": NEVER,
    "fgsm_grad": NEVER,
    "fgsm_backward": ATTACK,
    "saliency_at_end": ATTACK,
    "attack_on_frozen": ATTACK,
    "looked_at_by_grad": ATTACK,
    "zeroed_by_hand": ATTACK,
    "hessian_between": ATTACK,
    "moved_and_put_back": ATTACK,
    "shown_and_returned": ATTACK,
    "shown_before_clipping": ATTACK,
    "returned_and_shown": "gradients of 3 of 4 calls were thrown away",
    "rate_of_zero": "gradients of 4 of 8 calls were thrown away",
    "rate_of_zero_in_turn": "of 8 calls were thrown away",
    "adapted_and_loaded": ATTACK,
    "adapted_and_put_back": ATTACK,
    "episodes_at_end": ATTACK,
    # trained by the program's own loss
    "evaluate_hidden": "LEFT AND YET TRAINED",
    "model_in_eval_mode": "LEFT AND YET TRAINED",
    "attack_in_one_loop": "LEFT AND YET TRAINED",
    "own_gradient": "inside an autograd function",
    "compiled": "torch.compile",
    "vmapped": "torch.vmap",
    "nll_of_mean": NLL,
    "nll_of_logsumexp": NLL,
    "torchscript": "no hook sees",
    "cpp_function": "no hook sees",
    "gathered": "written by hand",
    "hand_one_hot": "log_softmax, multiplied with targets",
    "hand_smoothed": "log_softmax, multiplied with targets",
    "hand_kl": "log_softmax, multiplied with targets",
    "hand_einsum": "log_softmax, multiplied with targets",
    "hand_masked": "written by hand",
    "hand_logsumexp": "written by hand",
    "hand_exp_log": "written by hand",
    "hand_categorical": "written by hand",
    "hand_margins": "written by hand",
    "hand_rows": "written by hand",
    "hand_diagonal": "log_softmax, multiplied with targets",
    "hand_trace": "log_softmax, multiplied with targets",
    "hand_tensordot": "log_softmax, multiplied with targets",
    "hand_log_of_softmax": "written by hand",
    "adaptive_softmax": "written by hand",
    "hand_means_apart": GRADIENT,
    "hand_product_of_softmax": GRADIENT,
    "hand_gradient_given": GRADIENT,
    "hand_gradient_scaled": GRADIENT,
    "hand_surrogate": GRADIENT,
    "hand_log1p": GRADIENT,
    "hand_softplus": GRADIENT,
    "hand_logaddexp": GRADIENT,
    "hand_margin_losses": "a binary cross-entropy per class",
    "hand_after_pretraining": "written by hand",
    "smoothing_by_nll": "enters the loss in line",
    "shown_beside_a_mixture": ATTACK,
    "smoothed_in_second_pass": GRADIENT,
    "smoothed_with_dropout": GRADIENT,
    "soft_same_layer": LAYER,
    "layer_mostly_by_hand": LAYER,
    "conv_head": GRADIENT,
    "conv_pooled": GRADIENT,
    "conv_pixels": GRADIENT,
    "half_by_hand": GRADIENT,
    "half_autocast": GRADIENT,
    "half_of_float16": GRADIENT,
    "temperature_without_softmax": GRADIENT,
    "cosine_without_softmax": GRADIENT,
    "diagonal_by_index": GRADIENT,
    "diagonal_by_eye": GRADIENT,
}
NOTED = {
    "validation_tunes_by_the_same_lines": UNDONE,
    "validation_tunes_once": UNDONE,
    "spsa": VALUES,
    "evolution": VALUES,
    "finite_differences": VALUES,
    "soft_by_table": TABLE,
    "soft_by_table_logsumexp": TABLE,
    "second_pass_by_hand": BESIDE,
    "second_pass_of_two": BESIDE,
    "one_logit": BINARY,
    "one_logit_beside": BINARY,
    "one_logit_by_softplus": BESIDE,
    "distilled_by_gradient": BESIDE,
    "two_class_kd": BESIDE,
}
SHAPES = sorted(path.stem for path in (PROGRAMS / "shapes").glob("*.py"))
UNTOUCHED = {
    "conv_head",
    "conv_pooled",
    "conv_pixels",
    "half_by_hand",
    "half_autocast",
    "half_of_float16",
    "temperature_without_softmax",
    "cosine_without_softmax",
    "diagonal_by_index",
    "diagonal_by_eye",
    "hand_gradient_given",
    "hand_gradient_scaled",
    "hand_surrogate",
    "hand_log1p",
    "hand_softplus",
    "hand_logaddexp",
    "hand_means_apart",
    "hand_product_of_softmax",
    "hand_margin_losses",
    "smoothing_by_nll",
    "compiled",
    "vmapped",
    "nll_of_mean",
    "nll_of_logsumexp",
    "evaluate_hidden",
    "model_in_eval_mode",
}
SHOWN_ONLY = {"only_logged", "saliency_at_end", "attack_in_one_loop"}  # replaced, where the weights don't depend on it


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
    if name not in SHOWN_ONLY:
        assert plain == (name in UNTOUCHED)


def notes_on(receipt, name):
    return [note for note in receipt["notes"] if note.startswith(f"shapes/{name}.py")]


@pytest.mark.parametrize("name", NOTED)
def test_what_may_be_a_class_loss_is_told(shapes, name):
    assert any(NOTED[name] in note for note in notes_on(shapes[2], name))


def test_nothing_of_that_kind_is_told_of_other_programs(shapes):
    right = [name for name in SHAPES if name not in REPORTED and name not in NOTED]
    told = {name: [note for note in notes_on(shapes[2], name) if ADVICE in note] for name in right}
    assert {name: notes for name, notes in told.items() if notes} == {}
