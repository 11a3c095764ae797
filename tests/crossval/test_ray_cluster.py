"""Three nodes of Ray on this machine: one is killed, then the launcher, then the head, and the study is whole.

Slow, and skipped without Ray. Cells are stubs that refuse to run twice.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray_driver
from stub_cells import stub_commands, study_of

pytest.importorskip("ray")
pytestmark = pytest.mark.slow
CELLS = 40


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Makes clusters of three nodes, a core each."""
    from ray.cluster_utils import Cluster

    stub = stub_commands(tmp_path / "stub")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(stub), *(path for path in sys.path if path)]))
    monkeypatch.setenv("STUB_SECONDS", "0.3")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "5")
    clusters = []

    def make():
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        clusters.append(made)
        for _ in range(2):
            made.add_node(num_cpus=1)
        made.wait_for_nodes()
        return made

    yield make
    for made in clusters:
        made.shutdown()


@pytest.fixture
def launch(tmp_path):
    started = []

    def start(study, address):
        log = (tmp_path / f"driver{len(started)}.log").open("w")
        command = [sys.executable, ray_driver.__file__, str(study), address]
        started.append(subprocess.Popen(command, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def wait_for(study, count, process):
    deadline = time.monotonic() + 180
    while len(list(study.glob("cells/*/COMMITTED"))) < count:
        assert process.poll() is None, "the launcher ended early"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_node_the_launcher_and_the_head_are_killed(cluster, launch, tmp_path):
    folder, study = study_of(tmp_path / "study", CELLS)
    first = cluster()
    driver = launch(folder.folder, first.address)
    wait_for(folder.folder, 5, driver)
    first.remove_node(next(iter(first.worker_nodes)), allow_graceful=False)
    wait_for(folder.folder, 12, driver)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver = launch(folder.folder, first.address)
    wait_for(folder.folder, 22, driver)
    first.remove_node(first.head_node, allow_graceful=False)
    begun = time.monotonic()
    assert driver.wait(120) != 0
    print(f"the launcher ended {time.monotonic() - begun:.1f} s after the head")
    first.shutdown()
    driver = launch(folder.folder, cluster().address)
    assert driver.wait(240) == 0
    assert all(folder.run(cell).is_done for cell in study.cells)
    notes = (folder.folder / "ran.txt").read_text().splitlines()
    assert sorted(note for note in notes if note.startswith("ended")) == sorted(f"ended ce_s{i}" for i in range(CELLS))
    assert not [note for note in notes if note.split()[0] in ("again", "twice", "lost")]
    for cell in study.cells:
        assert (folder.run(cell).folder / "results.json").read_text() == f'{{"cell": "{cell.name}"}}'
    print(Path(tmp_path / "driver2.log").read_text()[-200:])
