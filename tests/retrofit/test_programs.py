"""Every tiny program, retrofitted, ends with the bits of its twin that was edited by hand - and not with those of
cross-entropy."""

import pytest

PLAIN = [
    "functional.py", "aliased.py", "import_time.py", "nll.py",
    "smoothing.py", "class_weights.py", "soft_targets.py", "pixels.py",
    "validation_grad.py", "subclass.py", "patches_torch.py",
    "phases.py", "shared_step.py", "timm_losses.py", "model_computes.py",
    "checkpointed.py", "chosen_by_config.py",
]  # fmt: skip


def check_receipt(receipt, calls):
    replaced = [site for site in receipt["sites"] if site["action"] == "replace"]
    assert receipt["replaced_calls"] == sum(site["count"] for site in replaced) == calls
    for site in replaced:
        assert site["first_loss"] > site["first_ce"] * 0.99
        assert site["error"] < 1e-5
        assert site["gain"] == pytest.approx(site["expected_gain"], rel=1e-5)
    return receipt


@pytest.fixture(scope="module")
def many(make_workshop):
    """All plain programs in one retrofitted process: importing torch once is enough."""
    shop = make_workshop()
    done = shop.retrofit("--", "python", "many.py", *PLAIN)
    assert done.returncode == 0, done.stderr
    return shop, shop.edited()


@pytest.mark.parametrize("program", PLAIN)
def test_the_weights_are_those_of_the_hand_edited_program(program, many, same_bits):
    shop, edited = many
    weights = shop.weights(f"{program}.pt")
    assert same_bits(weights, edited.here(program))
    assert not same_bits(weights, shop.here(program))


def test_every_site_of_the_plain_programs_is_proven(many):
    shop, _ = many
    receipt = check_receipt(shop.receipt(), 156)
    assert {site["site"].split(":")[0] for site in receipt["sites"] if site["action"] == "replace"} == set(PLAIN)
    assert not [site for site in receipt["sites"] if site["action"] == "refuse"]


def test_one_object_for_two_roles_is_told_apart_by_line(workshop, same_bits):
    done = workshop.retrofit("--only", "two_roles.py:11", "--", "python", "two_roles.py", "out.pt")
    assert done.returncode == 0, done.stderr
    assert same_bits(workshop.weights("out.pt"), workshop.edited().here("two_roles.py"))
    sites = {site["site"]: (site["role"], site["action"], site["count"]) for site in workshop.receipt()["sites"]}
    assert sites == {"two_roles.py:11": ("age", "replace", 6), "two_roles.py:10": ("gender", "leave", 6)}


def test_a_role_names_a_site_too(workshop, same_bits):
    assert workshop.retrofit("--only", "age", "--", "two_roles.py", "out.pt").returncode == 0
    assert same_bits(workshop.weights("out.pt"), workshop.edited().here("two_roles.py"))


def test_validation_is_left_and_said_so(workshop):
    assert workshop.retrofit("--", "python", "validation_grad.py", "out.pt").returncode == 0
    left = {site["site"]: site["reason"] for site in workshop.receipt()["sites"] if site["action"] == "leave"}
    assert left == {
        "validation_grad.py:8": "evaluation: function `validate`",
        "validation_grad.py:25": "evaluation: behind `net.eval()`, line 24",
    }


def test_a_module_is_run_like_python_does(workshop, same_bits):
    assert workshop.retrofit("--", "-m", "package", "out.pt").returncode == 0
    assert same_bits(workshop.weights("out.pt"), workshop.edited().here("package"))
    check_receipt(workshop.receipt(), 6)


def test_a_program_that_exits_7_exits_7_with_a_receipt(workshop, same_bits):
    assert workshop.retrofit("--", "python", "exits7.py", "out.pt").returncode == 7
    assert same_bits(workshop.weights("out.pt"), workshop.edited().here("exits7.py"))
    assert (workshop.receipt()["exit_code"], workshop.receipt()["program_failed"]) == (7, True)


def test_a_criterion_that_is_built_and_never_called_is_a_failure(workshop, same_bits):
    done = workshop.retrofit("--", "python", "unused.py", "out.pt")
    assert done.returncode == 3
    assert "built but never called: unused.py:4" in done.stderr
    assert same_bits(workshop.weights("out.pt"), workshop.here("unused.py"))
