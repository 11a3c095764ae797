"""Compiling in place, and what CUDA graphs need."""

import dataclasses

import pytest
import torch
from torch import nn

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.compilation import compile_network, require_graphs_possible
from finegrained_crl.training.loop import Loop
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.run_options import RunOptions

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize(("graphs", "mode"), [(False, None), (True, "reduce-overhead")])
def test_the_network_itself_is_compiled_in_the_mode_that_was_asked_for(graphs, mode, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda model, **how: compiled.append((model, how)))
    network = nn.Linear(2, 2)
    compile_network(network, graphs=graphs)
    assert compiled == [(network, {"mode": mode})]


@pytest.mark.parametrize(
    ("recipe", "device", "reason"),
    [
        (Recipe(), CUDA, "pass --compile true"),
        (Recipe(compile=True), CPU, "this run is on cpu"),
        (Recipe(compile=True, accumulate=2), CUDA, "--accumulate 2"),
    ],
)
def test_graphs_that_cannot_be_recorded_are_refused(recipe, device, reason):
    with pytest.raises(FinegrainedError, match=reason):
        require_graphs_possible(recipe, device)


def test_a_compiled_network_on_a_gpu_can_be_recorded():
    assert require_graphs_possible(Recipe(compile=True), CUDA) is None


def test_a_session_refuses_them_before_it_trains(make_session):
    with pytest.raises(FinegrainedError, match="this run is on cpu"):
        make_session("--compile", "true", options=RunOptions(workers=0, cuda_graphs=True))


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_loop_compiles_where_the_recipe_says_so(is_asked, make_session, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda model, **how: compiled.append((model, how)))
    session = make_session("--compile", str(is_asked).lower())
    Loop(session)
    assert compiled == [(session.trainee.model, {"mode": None})] * is_asked


def test_a_loop_records_graphs_where_the_options_say_so(make_session, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda model, **how: compiled.append(how["mode"]))
    session = make_session("--compile", "true")
    session.options = dataclasses.replace(session.options, cuda_graphs=True)
    Loop(session)
    assert compiled == ["reduce-overhead"]
