"""Faults in studies: which cells, started how, and whether they belong together."""

from faults import Source

C = "finegrained_crl/crossval/"
STUDIES = "tests/meaning/test_studies_mean.py"

plan = Source(C + "plan.py", "tests/crossval/test_plan.py", "finegrained_crl/crossval/plan.py")
plan.fault("sign", "gain = 1 + beta / alpha", "gain = 1 - beta / alpha")
plan.fault("swapped part", "gain = 1 + beta / alpha", "gain = 1 + alpha / beta")
plan.fault("sign", "weight_decay=crl.weight_decay / gain", "weight_decay=crl.weight_decay * gain")
plan.fault("ignored option", "else crl.head_lr * gain}", "else crl.head_lr}")
plan.fault("swapped part", "math.log1p(1 / alpha)", "math.log1p(alpha)")
plan.fault("swapped part", '{"epsilon": beta / alpha}))', '{"epsilon": alpha / beta}))')
plan.fault("ignored option", "recipe.replace(fold=fold, seed=seed)", "recipe.replace(fold=fold)")
plan.fault("ignored option", "recipe.replace(fold=fold, seed=seed)", "recipe.replace(seed=seed)")
plan.fault(
    "swapped part",
    "itertools.product(seeds, folds, variants.items())",
    "itertools.product(folds, seeds, variants.items())",
)
plan.fault("ignored option", "{**component.options, option: value}", "{option: value}")
plan.fault("ignored option", "{**component.options, option: value}", "{**component.options}")
plan.fault(
    "index",
    "if key in grid or len(set(map(str, chosen))) < len(chosen):",
    "if len(set(map(str, chosen))) < len(chosen):",
)
plan.fault("swapped part", "for kind in (int, float):", "for kind in (float, int):")
plan.fault(
    "sign",
    'not key.startswith("loss.") or key[5:] in base.loss.options',
    'key.startswith("loss.") or key[5:] in base.loss.options',
)
plan.fault("dropped call", "        _require_setting(key, recipes)\n", "        pass\n")
plan.fault("dropped call", "complete(with_settings(base, chosen))", "with_settings(base, chosen)")
plan.fault(
    "off-by-one",
    "for i, v in enumerate(values) if v in values[:i]]",
    "for i, v in enumerate(values) if v in values[: i - 1]]",
)
plan.fault("ignored option", "controls or list(CONTROLS)", "list(CONTROLS)")
plan.fault("ignored option", 'if fold is not None else ""', 'if fold else ""')
plan.fault("index", '_s{seed}"', '_s0"')
plan.fault("dropped call", "    if alpha == 0:\n", "    if False:\n")

collect = Source(C + "collect.py", "tests/crossval/test_collect.py", STUDIES, "tests/reports/test_study.py")
drawn = Source("finegrained_crl/data/identity.py", "tests/data/test_identity.py", "tests/crossval/test_collect.py")
drawn.fault("swapped part", 'return ("subject " + subject).fillna(', 'return ("subject " + unknown).fillna(')
drawn.fault("swapped part", '.fillna("image " + frame["path"].astype("string"))', '.fillna("image")')
collect.fault(
    "dropped call",
    "    if mismatches and not accept_differences:\n",
    "    if False:\n",
    "tests/crossval/test_consistency.py",
)
collect.fault(
    "ignored option",
    "    if mismatches and not accept_differences:\n",
    "    if mismatches:\n",
    "tests/crossval/test_consistency.py",
)
collect.fault("sign", '"state": "done" if done else "missing"', '"state": "done"')
collect.fault("dropped call", "place.run(cell).checked(place.run(cell).predictions)", "place.run(cell).predictions")

consistency = Source(
    C + "consistency.py",
    "tests/crossval/test_consistency.py",
    "tests/reports/test_study.py",
    "tests/cli/test_integrity.py",
)
consistency.fault(
    "dropped call", "    yield from differences(place.run(cell).read_recipe(), cell.recipe.as_dict())\n", ""
)
consistency.fault("sign", 'results["protocol"][name] != planned[name]', 'results["protocol"][name] == planned[name]')
consistency.fault("sign", "> TOLERANCE", "< TOLERANCE")
consistency.fault("off-by-one", "TOLERANCE = 1e-6", "TOLERANCE = 1e-1")
consistency.fault("dropped call", 'if not len(rows) == denominator == metrics["num_images"]:', "if False:")
consistency.fault("ignored option", 'len(rows) == denominator == metrics["num_images"]', "len(rows) == denominator")
consistency.fault("dropped call", 'if rows["id"].duplicated().any():', "if False:")
consistency.fault("swapped part", '& (frame["part"] == "test")]', '& (frame["part"] == "val")]')
consistency.fault("dropped call", "    if prints[0] != prints[1]:\n", "    if False:\n")
consistency.fault("dropped call", '    if one["class_names"] != other["class_names"]:\n', "    if False:\n")
consistency.fault("ignored option", '("policy", "missing_images")', '("policy",)')
consistency.fault("off-by-one", "if len(by_version) > 1:", "if len(by_version) > 2:")
consistency.fault("dropped call", "    yield from _versions(cells, results)\n", "")
consistency.fault("ignored option", "str((recipe.dataset, recipe.data, recipe.missing))", "cell.name")

study = Source(
    C + "study.py",
    "tests/crossval/test_study.py",
    "tests/crossval/test_plan.py",
    "tests/cli/test_integrity.py",
    "tests/cli/test_crossval.py",
)
study.fault("dropped call", '        if values.get("digest") != _digest(values):', "        if False:")
study.fault("ignored option", "self.read().threads)", "study.threads)")
study.fault("dropped call", "        self.check(study)\n", "")
study.fault("dropped call", '    gone += [f"fold {fold}', '    _ = [f"fold {fold}')
study.fault("dropped call", '    gone += [f"seed {seed}', '    _ = [f"seed {seed}')
study.fault("ignored option", "return recipe.replace(fold=None, seed=0).as_dict()", "return recipe.as_dict()")
study.fault(
    "swapped part", 'list(values["folds"]), list(values["seeds"])', 'list(values["seeds"]), list(values["folds"])'
)
study.fault("dropped call", '        if values.get("format") != FORMAT:', "        if False:")
study.fault(
    "swapped part",
    "_with_axes(texts[cell.variant], cell), self.recipe(cell)",
    "_with_axes(texts[cell.variant], study.cells[0]), self.recipe(cell)",
)

launch = Source(C + "launch.py", "tests/crossval/test_launch.py", "tests/cli/test_crossval.py")
launch.fault("ignored option", '"--resume"]\n', "]\n")
launch.fault(
    "ignored option", 'str(self.folder.recipe(cell)), "--out"', 'str(self.folder.recipe(self.study.cells[0])), "--out"'
)
launch.fault(
    "ignored option",
    "set(range(self.machine.jobs))",
    "set(range(1))",
    "tests/crossval/test_launch.py::test_as_many_cells_as_jobs_run_at_once",
)
launch.fault("sign", "is_done and (stopped or code == 0):", "is_done:")
launch.fault(
    "dropped call", "if self.folder.run(job.cell).is_done and (stopped or code == 0):", "if stopped or code == 0:"
)
launch.fault("dropped call", "                    self._drop_lost(jobs)\n", "")
launch.fault("dropped call", "                    self.orders.check()\n", "")
launch.fault("dropped call", "                    self.taking.look()\n", "")
launch.fault("index", "SUCCESSOR: str(self.taking.leases.successor(lease))", 'SUCCESSOR: ""')
launch.fault("swapped part", 'outcome = "released"\n', 'outcome = "failed"\n')
launch.fault("dropped call", "elif stopped or self.taking.is_locked(job.cell):", "elif stopped:")
launch.fault("ignored option", "self.machine.share if self.machine.gpus", "1.0 if self.machine.gpus")
launch.fault("off-by-one", "-(-len(missing) // machine.jobs) * each", "len(missing) // machine.jobs * each")
launch.fault("wrong reduction", "sum(finished) / len(finished) + STARTUP_SECONDS", "sum(finished) + STARTUP_SECONDS")
launch.fault("wrong reduction", "each = sum(finished) / len(finished) + STARTUP_SECONDS", "each = STARTUP_SECONDS")
launch.fault("index", "return lines[-1].removeprefix", "return lines[0].removeprefix")
launch.fault("sign", "if returncode < 0:", "if returncode > 1:")
launch.fault("dropped call", "            _end(jobs)\n", "            pass\n")
launch.fault("swapped part", "own = {**self.machine.gpu(slot), SUCCESSOR", "own = {SUCCESSOR")

machine = Source(C + "machine.py", "tests/crossval/test_launch.py", "tests/cli/test_crossval.py")
machine.fault("ignored option", "available_cores() // self.jobs", "available_cores()")
machine.fault("ignored option", "slot % len(self.gpus)", "0")
machine.fault("ignored option", "if self.accept_changed_data else words", "if False else words")
machine.fault("ignored option", '"--device", self.device, "--data-in"', '"--device", "cpu", "--data-in"')
machine.fault("ignored option", '"--data-in", self.data_in, ', '"--data-in", "files", ')

leases = Source(C + "leases.py", "tests/crossval/test_leases.py")
leases.fault("dropped call", "return not self.heart.is_late and not self.successor", "return not self.successor")
leases.fault("dropped call", "not self.heart.is_late and not self.successor(lease).exists()", "not self.heart.is_late")
leases.fault("dropped call", "worker.is_surely_dead or self.watch.is_silent(worker)", "worker.is_surely_dead")
leases.fault("off-by-one", '{lease.cell}.{lease.number + 1}"', '{lease.cell}.{lease.number}"')
leases.fault("ignored option", "if number > self.at_start.get(cell, 0) else None", "if number else None")

worker = Source(C + "worker.py", "tests/crossval/test_worker.py", "tests/crossval/test_leases.py")
worker.fault("off-by-one", "self.last > self.worker.term / 2", "self.last > self.worker.term")
worker.fault("swapped part", "self.number + 1, began", "self.number + 1, self.clock()")
worker.fault("off-by-one", "return now - before[1] > worker.term", "return now - before[1] >= worker.term")
worker.fault("dropped call", "if before is None or before[0] != beat:", "if before is None:")
worker.fault("dropped call", "return started is not None and started != self.started", "return False")

taking = Source(C + "taking.py", "tests/crossval/test_taking.py", "tests/crossval/test_launch.py")
taking.fault("dropped call", "            if self._is_settled(cell):\n                continue\n", "")
taking.fault("dropped call", "is_held = self.is_locked(cell) or (", "is_held = (")
taking.fault("dropped call", " and not self.leases.is_over(cell.name, number))", ")")
taking.fault("dropped call", "            self.waiting.append(cell)\n", "            pass\n")
taking.fault("dropped call", "            elif self.folder.run(cell).is_done:  #", "            elif False:  #")
taking.fault("sign", "        return reason is not None\n", "        return False\n")
taking.fault(
    "dropped call",
    "            if lease is None:\n                self.leave(cell)\n",
    "            if lease is None:\n                pass\n",
)

one_cell = Source(C + "one_cell.py", "tests/crossval/test_one_cell.py")
one_cell.fault("ignored option", "over=order.over", "over=None")
one_cell.fault("dropped call", 'End("committed") if home.is_done else _run(', "_run(")
one_cell.fault("dropped call", "        if not leases.holds(lease):\n", "        if False:\n")
one_cell.fault("dropped call", "run.is_done and leases.holds(lease):", "run.is_done:")
one_cell.fault("dropped call", "        end_in_time([process])\n", "")
one_cell.fault("sign", "if code == 0 and home.is_done", "if code == 0")

ray_launcher = Source(C + "ray_launcher.py", "tests/crossval/test_ray_launcher.py")
ray_launcher.fault("ignored option", "min(1.0, self.gpus * job.shares)", "self.gpus")
ray_launcher.fault("ignored option", "(1 if order.gpus else job.shares)", "1")
ray_launcher.fault("sign", "job.shares < self._most_shares()", "job.shares <= self._most_shares()")
ray_launcher.fault(
    "off-by-one", "self.deaths[job.cell.name] < MOST_DEATHS", "self.deaths[job.cell.name] <= MOST_DEATHS"
)
ray_launcher.fault(
    "dropped call", "            self.taking.leave(job.cell)\n        elif", "            pass\n        elif"
)

census = Source(C + "census.py", "tests/crossval/test_census.py", "tests/cli/test_status.py")
census.fault("ignored option", "+ running * self.threads", "+ running")
census.fault("ignored option", "end.seconds * end.gpus for", "end.seconds for")
census.fault("wrong reduction", "+ begun) / len(running)", "+ begun)")
census.fault("dropped call", "worker.is_surely_dead or self.clock - beat", "self.clock - beat")
census.fault("swapped part", "self.clock - beat > worker.term", "False")
census.fault("index", "self.ended.get(cell, {}).get(tries)", "self.ended.get(cell, {}).get(1)")

processes = Source(C + "processes.py", "tests/crossval/test_processes.py", "tests/cli/test_crossval.py")
processes.fault("ignored option", "name: str(threads) for name", "name: str(1) for name")
processes.fault("dropped call", "**waiting, **own}", "**own}")
processes.fault("ignored option", " and not gpus else", " else")
processes.fault("ignored option", "env={**environment(self.threads), **own}", "env=environment(self.threads)")
processes.fault("dropped call", "    return lambda: die_with(parent, libc)\n", "    return None\n")
processes.fault("swapped part", 'self.cells[end["number"]].returncode', "self.cells[-1].returncode")
processes.fault("index", "cell = ForkedCell(self, len(self.cells))", "cell = ForkedCell(self, 0)")
processes.fault("dropped call", "        if not text:\n            self._note_lost()\n", "")
processes.fault("swapped part", "signal=int(signal.SIGTERM)", "signal=int(signal.SIGKILL)")
processes.fault("swapped part", '"output": str(output or os.devnull)', '"output": os.devnull')

fork_server = Source(C + "fork_server.py", "tests/crossval/test_processes.py", "tests/cli/test_crossval.py")
fork_server.fault("dropped call", "    libc.prctl(1, signal.SIGKILL)", "    (lambda *_: None)(1, signal.SIGKILL)")
fork_server.fault("dropped call", "signal.signal(number, signal.SIG_IGN)", "signal.getsignal(number)")
fork_server.fault("dropped call", "            signal.signal(number, handler)\n", "            pass\n")
fork_server.fault("ignored option", '        os.environ |= request["own"]\n', "")
fork_server.fault("swapped part", "(output, 1), (log, 2)", "(log, 1), (output, 2)")
fork_server.fault("dropped call", "            self._become_cell(request)\n", "            pass\n")
fork_server.fault("index", " if of == number", "")
fork_server.fault("dropped call", "    threading._shutdown()", "    pass")
fork_server.fault("dropped call", "    atexit._run_exitfuncs()\n", "")
fork_server.fault("dropped call", "    sys.stdout.flush()\n", "")
fork_server.fault("off-by-one", "        code = 1\n", "        code = 0\n")
fork_server.fault("swapped part", "self.numbers.pop(pid)", "next(iter(self.numbers.values()))")

search = Source("finegrained_crl/crossval/random_search.py", "tests/crossval/test_random_search.py")
search.fault("ignored option", "default_rng([seed, number])", "default_rng([0, number])")
search.fault("ignored option", 'is_log = scale == "log"', "is_log = False")
search.fault("off-by-one", "self.low, self.high + self.is_whole", "self.low, self.high")
search.fault("dropped call", "drawn.setdefault(tuple(chosen.values()), chosen)", "drawn[number] = chosen")
tune = Source("finegrained_crl/cli/tune.py", "tests/cli/test_tune.py")
tune.fault("ignored option", "parsed.budget, parsed.draw_seed)", "parsed.budget, 0)")
tune.fault("dropped call", 'warmup_epochs=fitted["warmup_epochs"], ', "")
tune.fault("dropped call", "    _require_validation(first)\n", "")
tune.fault("swapped part", 'primary.show(row["test"])', 'primary.show(row["grid_test"])')

SLURM = "tests/crossval/test_slurm.py"
slurm = Source(C + "slurm.py", SLURM, C + "slurm.py")
slurm.fault("index", "return names[task::tasks]", "return names[task * len(names) // tasks :][: len(names) // tasks]")
slurm.fault("off-by-one", 'f"array=0-{tasks - 1}"', 'f"array=0-{tasks}"')
slurm.fault("wrong reduction", "str(study.threads * machine.jobs)", "str(study.threads)")
slurm.fault("dropped call", "if not folder.run(cell).is_done]", "]")
slurm.fault("ignored option", "min(len(missing), site.array_limit)", "len(missing)")
slurm.fault("ignored option", '"--share", str(machine.share)', '"--share", "1.0"')
slurm.fault("ignored option", 'words += ["--accept-changed-data"] if machine.accept_changed_data else []', "pass")
slurm.fault("dropped call", "    if done.returncode:\n", "    if False:\n")
slurm.fault("swapped part", "*defaults, *site.options]", "*defaults]")
slurm.fault("dropped call", "if name not in named]", "]")
slurm_task = Source(C + "slurm_task.py", SLURM)
slurm_task.fault("ignored option", "share_of(names, arguments.task, arguments.tasks)", "names")
slurm_task.fault("sign", "return 1 if launcher.failed else 0", "return 0")
slurm_task.fault("ignored option", "orders=Orders(folder.folder, arguments.orders)", "orders=Orders(folder.folder)")
slurm_task.fault("wrong reduction", "return 128 + stop.signal", "return stop.signal")
slurm_task.fault(
    "ignored option",
    "a.checkpoint_seconds, a.accept_changed_data, a.data_in, a.share)",
    "60.0, a.accept_changed_data, a.data_in, a.share)",
)

orders = Source(C + "orders.py", "tests/crossval/test_orders.py", "tests/crossval/test_launch.py")
orders.fault(
    "off-by-one", "_order(self.study, self.before + 1).exists()", "_order(self.study, self.before + 2).exists()"
)
orders.fault("ignored option", "count_orders(study) if before is None else before", "count_orders(study)")
orders.fault(
    "dropped call",
    "        self._looked = time.monotonic()\n",
    "",
    why_equivalent="it looks more often than once a second, and sees the same",
)

origin = Source(C + "origin.py", "tests/crossval/test_origin.py", C + "origin.py", "tests/cli/test_study_words.py")
origin.fault("dropped call", "        if key in NOT_COMPARED:\n            continue\n", "")
origin.fault("dropped call", "or next((other for other in printed.values() if other.loss == recipe.loss), None)", "")
origin.fault("wrong reduction", "dict.fromkeys([*own, *theirs])", "dict.fromkeys(own)")
origin.fault(
    "swapped part",
    "{_text(own.get(setting))}, not {_text(theirs.get(setting))}",
    "{_text(theirs.get(setting))}, not {_text(own.get(setting))}",
)

gathering = Source(C + "gather.py", "tests/crossval/test_gather.py", "tests/cli/test_report.py")
gathering.fault("dropped call", "    _require_comparable(parts)\n", "")
gathering.fault("ignored option", "collect(folder, accept_differences=accept_differences)", "collect(folder)")
gathering.fault("swapped part", 'frame["part"] == "test", "id"', 'frame["part"] == "val", "id"')
gathering.fault(
    "wrong reduction",
    "if any(earlier[fold] != later[fold] for fold in shared):",
    "if shared and all(earlier[fold] != later[fold] for fold in shared):",
)
gathering.fault("dropped call", "read_predictions(run.checked(run.predictions))", "read_predictions(run.predictions)")
gathering.fault("ignored option", "name if names.count(name) == 1 else str(folder)", "name")

planning = Source(C + "planning.py", "tests/crossval/test_planning.py")
planning.fault("dropped call", '            leases.end(lease, End("released"))\n', "            pass\n")
planning.fault("dropped call", "    folder.check(study)  # before", "    # before")

apart = Source(C + "apart.py", "tests/crossval/test_apart.py", "tests/crossval/test_ray_apart.py")
apart.fault(
    "ignored option", 'if bring == "weights" or not name.startswith(WEIGHTS)', "if not name.startswith(WEIGHTS)"
)
apart.fault("ignored option", 'if bring == "weights" or not name.startswith(WEIGHTS)', "if name")
apart.fault("dropped call", 'f"{order.cell}-{digest}"', "order.cell")
apart.fault("dropped call", "    shutil.rmtree(home, ignore_errors=True)  #", "    #")
apart.fault("dropped call", "    scratch.require_arrived(home, record, arrived, delivery.kept)\n", "")
apart.fault("dropped call", '    if end.outcome != "committed":', "    if True:")
apart.fault("index", "over=None, scratch", "over=0, scratch")

ray_apart = Source(C + "ray_apart.py", "tests/crossval/test_ray_apart.py")
ray_apart.fault("dropped call", "or not self.taking.leases.holds(job.lease)", "")
ray_apart.fault("dropped call", "                for lease in self.held.values():", "                for lease in ():")
ray_apart.fault("dropped call", '        self._give_back(job, End("released"))\n', "")
ray_apart.fault("swapped part", "log.write_bytes(delivery.log + kept)", "log.write_bytes(kept)")

again = Source(C + "taking.py", "tests/crossval/test_ray_launcher.py")
again.fault("dropped call", "        self.leases.at_start[cell.name] = self.leases.latest(cell.name)\n", "")

scratch = Source(C + "scratch.py", "tests/crossval/test_scratch.py")
scratch.fault("dropped call", "for name in [*record, *_unlisted(run, record)]:", "for name in record:")
scratch.fault("dropped call", "    require_arrived(home, record, list(record), str(run))\n", "")
scratch.fault("dropped call", "    if problems:\n        raise", "    if False:\n        raise")
scratch.fault("index", 'f"{study.name}-{digest}" / home.name', "study.name / home.name")
