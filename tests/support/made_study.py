"""A study that a test writes itself: cells with made-up predictions, no training, no torch."""

import json

import numpy as np
import pandas as pd
import yaml

from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.metrics.catalogue import all_figures, make_scores
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.run_folder import FORMAT

GROUPS = ["young", "middle", "old", "ancient"]


def predictions(fold, seed, strength, *, validation):
    """Forty faces of ten people; the same people and faces in every variant and seed of a fold."""
    fixed, random = np.random.default_rng(fold), np.random.default_rng([fold, seed, int(100 * strength)])
    rows = []
    for part in ("test", "val") if validation else ("test",):
        labels = np.repeat(fixed.integers(0, 4, 10), 4)
        logits = strength * np.eye(4)[labels] + random.normal(size=(40, 4))
        table = pd.DataFrame({"id": [f"{part}{fold}/{i}" for i in range(40)], "label": labels, "logits": list(logits)})
        table["subject"] = [f"{part} person {fold} {i // 4}" for i in range(40)]
        rows.append(table.assign(path=table["id"], part=part, weights="last", gender=fixed.choice(["f", "m", ""], 40)))
    return pd.concat(rows, ignore_index=True)


def write_study(
    folder,
    strengths,
    *,
    folds=(0, 1, 2),
    seeds=(0, 1),
    ordered=True,
    validation=True,
    skip=(),
    changed=None,
    select=(),
):
    """A study as its cells would have left it; `changed` is called with (cell, frame, results) before they are
    written.
    """
    recipes = {name: Recipe(data="x", loss=Component(name)) for name in strengths}
    place = StudyFolder(folder)
    study = place.write(Study(recipes, list(folds), list(seeds), threads=1, select=tuple(select)))
    for cell in study.cells:
        if cell.name not in skip:
            frame = predictions(cell.fold or 0, cell.seed, strengths[cell.variant], validation=validation)
            results = results_of(frame, ordered=ordered)
            if changed:
                frame = changed(cell, frame, results)
            write_cell(place.run(cell), cell.recipe, frame, results)
    return folder


def results_of(frame, *, ordered):
    test = frame[frame["part"] == "test"]
    scores = make_scores(np.stack(test["logits"].to_list()), test["label"].to_numpy(), "argmax")
    protocol = {
        "text": "made up",
        "policy": "",
        "denominator": 40,
        "views": "single",
        "decoder": "argmax",
        "validation": "some",
    }
    return {
        "format": FORMAT,
        "dataset": {"name": "made_up"},
        "method": {"name": "none"},
        "backbone": "none",
        "weights": [],
        "metrics": {"last": {"test": all_figures(scores, ordered=ordered)}, "selected_on_validation": None},
        "protocol": protocol,
        "class_names": GROUPS,
        "oracle_on_test": None,
        "data": {
            "ordered": ordered,
            "subgroups": ["gender"],
            "dropped": {},
            "fingerprint": {"digest": "abc"},
            "train": 60,
            "val": 20,
            "test": 40,
        },
        "headline": "last",
        "versions": {"python": "3"},
    }


def write_cell(run, recipe, frame, results):
    run.folder.mkdir(parents=True)
    run.recipe.write_text(yaml.safe_dump(recipe.as_dict()))
    frame.to_parquet(run.predictions)
    run.results.write_text(json.dumps(results))
    run.commit()


def row(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]
