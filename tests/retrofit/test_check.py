"""The patched and the retrofitted program side by side."""

import pytest

CALLS = "import small\nfrom torch import nn\n"
TRAIN = """
net, (x, y), criterion = small.model(), small.data(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def score():
    return criterion(net(x), y)


for _ in range(6):
    loss = {loss}
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    {after}
"""


@pytest.fixture
def check(workshop, tmp_path):
    def run(*words, **parts):
        repo = tmp_path / "repo"
        repo.mkdir()
        (repo / "small.py").write_text((workshop.folder / "small.py").read_text())
        (repo / "train.py").write_text(CALLS + TRAIN.format(**parts))
        (repo / "linked.py").symlink_to(repo / "small.py")
        (data := tmp_path / "data").mkdir()
        (data / "list.txt").write_text("1")
        (repo / "data").symlink_to(data)
        before = {path.name: path.read_bytes() for path in repo.iterdir() if path.is_file()}
        words = words or ("--check", "4", "--", "python", "train.py")
        done = workshop.command("patch", str(repo), *words)
        assert {path.name: path.read_bytes() for path in repo.iterdir() if path.is_file()} == before
        return done

    return run


def test_equal_programs_are_said_to_be_equal(check):
    done = check(loss="criterion(net(x), y)", after="pass")
    assert done.returncode == 0, done.stderr
    assert "--check: 4 losses of the patched program equal the retrofitted one's bit for bit" in done.stderr
    assert "+    loss = retrofit_criterion(criterion, strict=False)(net(x), y)" in done.stdout


def test_what_only_the_callers_tell_is_found(check):
    """The run leaves the helper where `validate` calls it; the diff can't."""
    after = "net.requires_grad_(False)\n    score()\n    net.requires_grad_(True)"
    done = check(loss="score()", after=after)
    assert (done.returncode, done.stdout) == (1, "")
    assert "differs between the patched and the retrofitted program" in done.stderr


def test_a_check_needs_a_program(check):
    done = check("--check", "4", loss="score()", after="pass")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "--check N and a program belong together" in done.stderr


CUDA = "loss.data[0]  # an item, in torch 0.3\n    net.cuda()"


def test_both_programs_get_the_shims(check):
    words = ("--shims", "cpu,old-torch", "--check", "4", "--", "python", "train.py")
    done = check(*words, loss="criterion(net(x), y)", after=CUDA)
    assert done.returncode == 0, done.stderr
    assert "--check: 4 losses" in done.stderr


def test_shims_without_a_program_are_refused(check):
    done = check("--shims", "cpu", loss="criterion(net(x), y)", after="pass")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "--shims is for the programs of --check N" in done.stderr


def test_linked_folders_and_files_are_there_in_the_patched_copy(check):
    after = "import linked; open('data/list.txt').close()"
    done = check(loss="criterion(net(x), y)", after=after)
    assert done.returncode == 0, done.stderr
