"""A call as it is to be written: its function exchanged, its options kept, comments and line breaks where they stand.

libcst rewrites the expression. Options in position get their names, which our losses ask for.
"""

from __future__ import annotations

from collections.abc import Iterable

import libcst as cst

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.reading.imports import TIMM
from finegrained_crl.retrofit.scanning.found import Site

CE_OPTIONS = ("weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing")
NLL_OPTIONS = CE_OPTIONS[:-1]
SHIPPED = "finegrained_crl"
OF_FUNCTION = {
    "cross_entropy": ("competing_ratio_loss", SHIPPED),
    "nll_loss": ("log_probability_loss", f"{SHIPPED}.retrofit"),
}
Import = tuple[str, str]
"""Module and name that the file must import for what was written."""


def rewritten(text: str, site: Site, settings: list[str]) -> tuple[str, Import]:
    """The new text of a call.

    Args:
        text: of the call, as it stands.
        site: what it is.
        settings: `alpha=..`, `beta=..`, from `settings_of`.
    Raises:
        FinegrainedError: it can't be rewritten; why, and what to do.
    """
    call = cst.parse_expression(f"({text})")  # brackets allow the line breaks inside
    if not isinstance(call, cst.Call):
        raise FinegrainedError("not a plain call")
    call = call.with_changes(lpar=call.lpar[1:], rpar=call.rpar[1:])
    made, needs = _partial(call, site, settings) if site.owner == "partial" else _rewritten(call, site, settings)
    return cst.Module([]).code_for_node(made), needs


def settings_of(alpha: float, beta: float) -> list[str]:
    """The numbers of CRL as options, those that are not its defaults."""
    given = {"alpha": (alpha, 1.5), "beta": (beta, 1.0)}
    return [f"{name}={float(value)!r}" for name, (value, default) in given.items() if value != default]


def _rewritten(call: cst.Call, site: Site, settings: list[str]) -> tuple[cst.BaseExpression, tuple[str, str]]:
    if site.kind == "construction" and site.loss in TIMM:
        return _timm(call, site, settings), (SHIPPED, "CompetingRatioLoss")
    if site.kind == "construction":
        arguments = _named(call.args, CE_OPTIONS, 0)
        return _call("CompetingRatioLoss", [*_arguments(settings), *arguments]), (SHIPPED, "CompetingRatioLoss")
    if site.loss == "cross_entropy":
        arguments = _with_settings(_named(call.args, ("input", "target", *CE_OPTIONS), 2), settings, "input", "logits")
        return call.with_changes(func=cst.Name("competing_ratio_loss"), args=arguments), (
            SHIPPED,
            "competing_ratio_loss",
        )
    if site.loss == "nll_loss":
        arguments = _with_settings(
            _named(call.args, ("input", "target", *NLL_OPTIONS), 2), settings, "input", "log_probabilities"
        )
        return call.with_changes(func=cst.Name("log_probability_loss"), args=arguments), (
            f"{SHIPPED}.retrofit",
            "log_probability_loss",
        )
    lenient = cst.Arg(cst.Name("False"), keyword=cst.Name("strict"), equal=_tight())
    twin = _call("retrofit_criterion", [cst.Arg(call.func), *_arguments(settings), lenient])
    func: cst.BaseExpression = twin
    if site.guard:  # one call for training and evaluation: the test that guards the backward pass chooses
        func = cst.parse_expression(
            f"({cst.Module([]).code_for_node(twin)} if {site.guard} else {cst.Module([]).code_for_node(call.func)})"
        )
    return call.with_changes(func=func), (f"{SHIPPED}.retrofit", "retrofit_criterion")


def _partial(call: cst.Call, site: Site, settings: list[str]) -> tuple[cst.BaseExpression, tuple[str, str]]:
    """`partial(F.cross_entropy, label_smoothing=0.1)`: the function changes, its options stay."""
    name, home = OF_FUNCTION[site.loss]
    if any(a.star or a.keyword is None for a in call.args[1:]):
        raise FinegrainedError("options of a `partial` in position or by *; name them, or edit it by hand")
    options = _named(call.args[1:], (), 0)
    return call.with_changes(
        args=_with_settings([call.args[0].with_changes(value=cst.Name(name)), *options], settings, "", "")
    ), (
        home,
        name,
    )


def _timm(call: cst.Call, site: Site, settings: list[str]) -> cst.Call:
    given = [a.value for a in call.args]
    smoothing = given[0] if given else cst.Float("0.1")
    more = (
        [cst.Arg(smoothing, keyword=cst.Name("label_smoothing"), equal=_tight())]
        if site.loss.startswith("Label")
        else []
    )
    return _call("CompetingRatioLoss", [*_arguments(settings), *more])


def _named(arguments: Iterable[cst.Arg], names: tuple[str, ...], positional: int) -> list[cst.Arg]:
    """Give keywords to options that stood in position, which our losses ask for."""
    edits = []
    for number, argument in enumerate(arguments):
        if argument.star:
            raise FinegrainedError("called with * or **: its options can't be read; edit it by hand")
        name = names[number] if number < len(names) else ""
        if argument.keyword:
            name = argument.keyword.value
        if (
            name in ("size_average", "reduce")
            and isinstance(argument.value, cst.Name)
            and argument.value.value == "None"
        ):
            continue
        if name in ("size_average", "reduce"):
            raise FinegrainedError(f"`{name}` is long deprecated and CRL does not take it; write `reduction=` first")
        if argument.keyword is None and number >= positional:
            argument = argument.with_changes(keyword=cst.Name(name), equal=_tight())
        edits.append(argument)
    return edits


def _with_settings(arguments: list[cst.Arg], settings: list[str], theirs: str, ours: str) -> list[cst.Arg]:
    renamed = [
        a.with_changes(keyword=cst.Name(ours)) if a.keyword and a.keyword.value == theirs else a for a in arguments
    ]
    if not settings:
        return renamed
    last = renamed[-1]
    if isinstance(last.comma, cst.MaybeSentinel):
        renamed[-1] = last.with_changes(comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))
    return [*renamed, *_arguments(settings)]


def _arguments(settings: list[str]) -> list[cst.Arg]:
    return [
        cst.Arg(cst.Float(s.partition("=")[2]), keyword=cst.Name(s.partition("=")[0]), equal=_tight()) for s in settings
    ]


def _tight() -> cst.AssignEqual:
    return cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


def _call(name: str, arguments: list[cst.Arg]) -> cst.Call:
    spaced = [
        a.with_changes(comma=cst.MaybeSentinel.DEFAULT) if isinstance(a.comma, cst.MaybeSentinel) else a
        for a in arguments
    ]
    return cst.Call(cst.Name(name), spaced)
