"""What a retrofitted program starts is reached: loader workers, forks, the ranks of a distributed run."""

import pytest


def test_workers_started_by_spawn_are_reached(workshop, same_bits):
    done = workshop.retrofit("--phase", "both", "--", "python", "spawn_loader.py", "out.pt")
    assert done.returncode == 0, done.stderr
    twin = workshop.edited()
    assert twin.forked("spawn_loader.py", "out.pt").returncode == 0
    assert same_bits(workshop.weights("out.pt"), twin.weights("out.pt"))
    counts = {site["site"]: (site["count"], site["processes"]) for site in workshop.receipt()["sites"]}
    assert counts == {"spawn_loader.py:19": (24, 1), "spawn_loader.py:27": (3, 1)}


def test_a_fork_that_ends_without_clean_up_is_counted(workshop, same_bits):
    assert workshop.retrofit("--", "python", "forked.py", "out.pt").returncode == 0
    assert workshop.receipt()["replaced_calls"] == 6
    twin = workshop.edited()
    assert twin.forked("forked.py", "out.pt").returncode == 0
    assert same_bits(workshop.weights("out.pt"), twin.weights("out.pt"))


# Six fresh processes; that those which a program starts are reached is the first test's.
@pytest.mark.slow
def test_both_ranks_of_a_distributed_run_are_reached(workshop, same_bits):
    words = ["--standalone", "--nproc-per-node", "2", "ddp.py", "out.pt"]
    done = workshop.retrofit("--", "torchrun", *words)
    assert done.returncode == 0, done.stderr
    twin = workshop.edited()
    assert twin.forked("-m", "torch.distributed.run", *words).returncode == 0
    assert same_bits(workshop.weights("out.pt"), twin.weights("out.pt"))
    (site,) = workshop.receipt()["sites"]
    assert (site["count"], site["processes"]) == (12, 2)
