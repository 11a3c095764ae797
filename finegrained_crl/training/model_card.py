"""The model card of a finished run: what it is, what it was measured on, what it is not for.

Its head is the metadata block that the Hugging Face hub reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import yaml

from finegrained_crl import escaping
from finegrained_crl.data.identity import clusters
from finegrained_crl.metrics.ages import age_truth, scale_from_dict
from finegrained_crl.metrics.catalogue import Figure, Order, Scores, figures_for, make_scores, order_of
from finegrained_crl.networks import NETWORKS
from finegrained_crl.statistics.estimate import estimate
from finegrained_crl.statistics.runs import make_run

FACES = "Age groups of faces are groups, not years; errors differ between people, groups and pictures: see the table."
YEARS = "Ages are guesses from a picture: errors of ten years occur, and differ between people, ages and pictures."


def model_card(results: dict[str, Any], predictions: pd.DataFrame) -> str:
    """The card as Markdown.

    Args:
        results: content of results.json.
        predictions: of the same run.
    """
    order, classes = order_of(results["data"]), len(results["class_names"])
    which = "selected" if results["headline"] == "selected" else "last"
    rows = predictions[(predictions["part"] == "test") & (predictions["weights"] == which)]
    logits = np.stack(rows["logits"].to_list())
    truth = age_truth(rows, scale_from_dict(results["data"].get("ages")))
    decoder = results["protocol"].get("decoder", "argmax")
    scores = make_scores(logits, rows["label"].to_numpy(), decoder, ages=truth)
    figures = [figure for figure in figures_for(classes, **order) if figure.totals(scores) is not None]
    people = clusters(rows).to_numpy(dtype=str)
    table = [_row(figure, scores, people) for figure in figures]
    head = yaml.safe_dump(_metadata(results, scores, figures), sort_keys=False, allow_unicode=True)
    title = f"{results['backbone']}, {results['method']['name']}, loss {results['loss']['name']}"
    return "\n".join(
        [
            "---", head.strip(), "---", "", f"# {escaping.markdown(title)}", "", *_data(results), "", "## Figures", "",
            "| figure | value | 95 % interval |", "|---|---:|---:|", *table, "",
            "The intervals speak of other people or pictures; chance in training is not in them: this is one run.", "",
            "## Use", "",
            f"Tells {classes} classes apart on pictures like those of its data set, prepared as in recipe.yaml. Not for"
            " decisions about people, and not for other kinds of pictures without a test on them.",
            *_about_ages(order), "", *_subgroups(results, rows, scores), "## Load", "",
            "    fgcrl predict RUN picture.jpg", "",
            f"or `timm.create_model(\"{results['backbone']}\", num_classes={classes})` with"
            f" `checkpoints/model_{which}.safetensors`, where the method is plain fine-tuning{_before(results)}.", "",
        ]
    )  # fmt: skip


def _about_ages(order: Order) -> list[str]:
    if order["years"]:
        return [YEARS]
    return [FACES] if order["ordered"] else []


def _before(results: dict[str, Any]) -> str:
    """What comes before `timm.create_model` for a network that timm does not bring itself."""
    ours = str(results["backbone"]).partition(".")[0] in NETWORKS
    return ", after `from finegrained_crl.networks import register_networks; register_networks()`" if ours else ""


def _row(figure: Figure, scores: Scores, clusters: np.ndarray) -> str:
    totals = figure.totals(scores)
    if totals is None:
        return f"| {figure.title} | - | - |"
    one = estimate([make_run(None, clusters, totals)], figure.statistic, scale=figure.scale)
    return f"| {figure.title} | {figure.show(one.value)} | {figure.show(one.low)} to {figure.show(one.high)} |"


def _metadata(results: dict[str, Any], scores: Scores, figures: list[Figure]) -> dict[str, Any]:
    named = {figure.name: figure.value(scores) for figure in figures}
    metrics = [
        {"type": name, "value": round(named[name], 6)}
        for name in ("top1_accuracy", "exact_accuracy", "mae_in_groups", "mae_years")
        if name in named and np.isfinite(named[name])
    ]
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"name": results["dataset"]["name"], "type": results["dataset"]["name"]},
        "metrics": metrics,
    }
    return {
        "library_name": "timm",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "finegrained-crl", f"loss:{results['loss']['name']}"],
        "base_model": results["backbone"],
        "model-index": [{"name": results["method"]["name"], "results": [result]}],
    }


def _data(results: dict[str, Any]) -> list[str]:
    data, protocol = results["data"], results["protocol"]
    facts = {
        "data": protocol["text"],
        "evaluated on": f"{protocol['evaluated_on']}, {protocol['denominator']} pictures, {protocol['views']} view",
        "trained on": f"{data['train']} pictures, {results['epochs_run']} epochs, seed {results['seed']}",
        "validation": protocol["validation"],
        "weights": "; ".join(results["weights"]),
        "data fingerprint": data["fingerprint"]["digest"],
        "leaks": "; ".join(protocol.get("leaks", [])) or "none found",
    }
    return [f"- {name}: {escaping.markdown(text)}" for name, text in facts.items()]


def _subgroups(results: dict[str, Any], rows: pd.DataFrame, scores: Scores) -> list[str]:
    """Accuracy by what the data set states of its pictures; values of few kinds only."""
    lines: list[str] = []
    right = scores.predicted == scores.labels
    for column in results["data"].get("subgroups", []):
        if column not in rows or rows[column].nunique() > 8:
            continue
        values = rows[column].astype("string").fillna("unknown").replace("", "unknown").to_numpy(dtype=str)
        lines += [f"| {escaping.markdown(column)} | pictures | right % |", "|---|---:|---:|"]
        for value in sorted(set(values)):
            chosen = values == value
            lines.append(f"| {escaping.markdown(value)} | {chosen.sum()} | {100 * right[chosen].mean():.2f} |")
        lines.append("")
    return lines
