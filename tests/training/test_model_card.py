"""The card of a run: its numbers, its metadata, its limits."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import accuracy_score

from finegrained_crl.metrics.decision import choose
from finegrained_crl.training.model_card import model_card

RANDOM = np.random.default_rng(0)
LABELS = np.repeat(np.arange(3), 20)
LOGITS = 2 * np.eye(3)[LABELS] + RANDOM.normal(size=(60, 3))


def results(**changes):
    values = {
        "headline": "last", "class_names": ["a", "b|c", "d"], "backbone": "resnet18", "epochs_run": 3, "seed": 4,
        "method": {"name": "resnet"}, "loss": {"name": "crl"}, "dataset": {"name": "adience"}, "weights": ["none"],
        "protocol": {
            "text": "made up <i>", "evaluated_on": "fold 0", "denominator": 60, "views": "single", "decoder": "argmax",
            "validation": "none", "leaks": [],
        },
        "data": {
            "ordered": False, "train": 100, "fingerprint": {"digest": "abc"}, "subgroups": ["gender"],
        },
    }  # fmt: skip
    return {**values, **changes}


def predictions():
    frame = pd.DataFrame({"id": range(60), "label": LABELS, "logits": list(LOGITS), "part": "test", "weights": "last"})
    return frame.assign(
        path=frame["id"].astype(str), subject=[f"p{i // 4}" for i in range(60)], gender=["f", "m", ""] * 20
    )


def test_numbers_and_metadata():
    card = model_card(results(), predictions())
    _, head, body = card.split("---\n", 2)
    metadata = yaml.safe_load(head)
    accuracy = accuracy_score(LABELS, LOGITS.argmax(1))
    assert metadata["pipeline_tag"] == "image-classification"
    assert metadata["model-index"][0]["results"][0]["metrics"][0]["value"] == pytest.approx(accuracy, abs=1e-6)
    assert f"| top-1 % | {100 * accuracy:.2f} | " in body
    assert "made up \\<i\\>" in body
    right = LOGITS.argmax(1) == LABELS
    assert f"| f | 20 | {100 * right[::3].mean():.2f} |" in body
    assert "| unknown | 20 |" in body
    assert "Age groups" not in body


def test_ordered_faces_state_their_limits():
    data = {**results()["data"], "ordered": True}
    card = model_card(results(data=data), predictions())
    assert "Age groups of faces are groups, not years" in card
    assert "| exact % |" in card


def test_figures_are_by_the_run_s_decoder():
    data, protocol = {**results()["data"], "ordered": True}, {**results()["protocol"], "decoder": "median"}
    frame = predictions().assign(logits=list(0.5 * LOGITS))
    median, argmax = (100 * accuracy_score(LABELS, choose(0.5 * LOGITS, how)) for how in ("median", "argmax"))
    assert median != argmax
    assert f"| exact % | {median:.2f} |" in model_card(results(data=data, protocol=protocol), frame)
    assert f"| exact % | {argmax:.2f} |" in model_card(results(data=data), frame)


def test_pictures_of_one_person_are_drawn_together():
    cards = [model_card(results(), predictions().assign(**subject)) for subject in ({}, {"subject": None})]
    rows = [next(line for line in card.splitlines() if line.startswith("| top-1 %")) for card in cards]
    (_, _, *first), (_, _, *second) = (row.split("|") for row in rows)
    assert first[0] == second[0]  # the value
    assert first[1] != second[1]  # its interval


def test_selected_weights_are_the_ones_described():
    frame = predictions()
    both = pd.concat([frame, frame.assign(weights="selected", logits=list(9 * np.eye(3)[LABELS]))])
    assert "| top-1 % | 100.00 |" in model_card(results(headline="selected"), both)
    assert "model_selected.safetensors" in model_card(results(headline="selected"), both)


def test_a_network_that_timm_does_not_bring_is_registered_first():
    card = model_card(results(backbone="cifar_resnet20"), predictions())
    assert "after `from finegrained_crl.networks import register_networks; register_networks()`" in card
    assert "register_networks" not in model_card(results(), predictions())


def test_intervals_are_told_from_the_low_end_to_the_high_one_around_the_value():
    rows = re.findall(r"\| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|", model_card(results(), predictions()))
    assert len(rows) > 3
    assert all(float(low) <= float(value) <= float(high) for value, low, high in rows)
    assert any(float(low) < float(high) for _, low, high in rows)
