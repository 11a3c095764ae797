"""Faults in what puts CRL into other programs: decision, hooks, account of gradients, receipt, scan and patch."""

from faults import Source

R, T = "finegrained_crl/retrofit/", "tests/retrofit/"
INPROCESS, SHAPES, PROGRAMS = T + "test_inprocess.py", T + "test_shapes.py", T + "test_programs.py"
LEARN, SCAN, PATCH, CHECK = T + "test_learn.py", T + "test_scan.py", T + "test_patch.py", T + "test_check.py"
LEDGER, MISFIT, EXAMPLE = T + "account/test_ledger.py", T + "account/test_misfit.py", T + "test_worked_example.py"
VERIFY = T + "test_verify.py"
STARTED, FAITHFUL = T + "test_started_processes.py", T + "test_faithful.py"

decision = Source(R + "sites/decision.py", SCAN, INPROCESS, PROGRAMS, LEARN, SHAPES)
decision.fault(
    "swapped part", "    skipped = _named_by(facts, choice.skip)", "    skipped = _named_by(facts, choice.only)"
)
decision.fault("ignored option", "    if choice.only and not chosen:", "    if False:")
decision.fault("sign", 'if facts.verdict == "eval" and not asked', 'if facts.verdict == "eval" and asked')
decision.fault("ignored option", 'choice.phase == "eval" and facts.verdict == "train" and not facts.guarded', "False")
decision.fault("dropped call", "if not chosen and facts.role in LEFT_ROLES:", "if facts.role in LEFT_ROLES:")
decision.fault("dropped call", "    if not chosen and facts.library:", "    if facts.library:")
decision.fault("dropped call", '    if facts.problem:\n        return "refuse", facts.problem\n', "")
decision.fault("wrong reduction", "(facts.place, *facts.callers, *facts.built)", "(facts.place,)")
decision.fault("swapped part", 'word == "validation" and facts.verdict == "eval"', 'word == "validation"')
decision.fault("ignored option", 'choice.phase != "train" or any(', "any(")
decision.fault(
    "swapped part", 'facts.own_verdict == "eval" and names_exactly', 'facts.verdict == "eval" and names_exactly'
)
decision.fault("ignored option", "if names_place(site, place)), guess)", "if False), guess)")

gain = Source(R + "losses/gain.py", INPROCESS, MISFIT, PROGRAMS)
gain.fault("sign", "p * pulls.sum(axis, keepdim=True) - pulls", "pulls - p * pulls.sum(axis, keepdim=True)")
gain.fault("sign", "(alpha + 1 - p))", "(alpha + 1 + p))")
gain.fault("off-by-one", "beta * p / (alpha + 1 - p)", "beta * p / (alpha - p)")
gain.fault("ignored option", "        mass = mass * weight.float()", "        mass = mass + 0 * weight.float()")
gain.fault("ignored option", " * kept.unsqueeze(axis)", "")
gain.fault("dropped call", "clamp(min=1.0))", "clamp(min=1e9))")
gain.fault("swapped part", "(_mean(cross_entropy(*whole, reduction)))", "(_mean(loss(*whole, reduction)))")
gain.fault("swapped part", "_finite(_ratio(expected, theirs, 1))", "_finite(_ratio(ours, theirs, 1))")
gain.fault("dropped call", "    used = base > 1e-12\n", "    used = base > -1\n")
gain.fault("dropped call", "value is not None and math.isfinite(value) else None", "value is not None else None")

judge = Source(R + "account/judge.py", T + "account/test_judge.py", SHAPES, T + "account", PROGRAMS, LEARN)
judge.fault("ignored option", 'if row.get("takes_evaluation") or run.phase != "train":', "if False:")
judge.fault("dropped call", 'calls = row["count"] - row["skipped"]', 'calls = row["count"]')
judge.fault("off-by-one", "    if idle > excused:\n", "    if idle > 1:\n")
judge.fault(
    "ignored option",
    'if not run.has_stepped or row["reason"].startswith("--only ") or (',
    "if not run.has_stepped or (",
)
judge.fault("ignored option", 'if not run.has_stepped or row["reason"]', 'if row["reason"]')
judge.fault("ignored option", "(run.is_stopped and not", "(not", LEDGER)
judge.fault("ignored option", 'run.is_stopped and not row.get("zeroed")', "run.is_stopped", LEDGER)
judge.fault("ignored option", " if run.is_stopped else 0", "", LEDGER)
judge.fault("sign", '    if row["flowed"] and not row["updated"]:', '    if row["flowed"] and row["updated"]:')
judge.fault("dropped call", '    if row.get("discarded"):', "    if False:")
judge.fault("dropped call", '    if row.get("unseen"):', "    if False:")
judge.fault("ignored option", "startswith((*BY_CHOICE, *BY_ROLE))", "startswith(BY_ROLE)")
judge.fault("ignored option", "startswith((*BY_CHOICE, *BY_ROLE))", "startswith(BY_CHOICE)")
judge.fault("swapped part", "        return _of_refused(row)\n", "        return _of_left(row)\n")
judge.fault("ignored option", 'startswith(BY_ROLE) and row.get("updated")', "startswith(BY_ROLE)", LEDGER)
judge.fault("sign", "    if unused > 0 and run.has_stepped:", "    if unused >= 0 and run.has_stepped:", LEDGER)
judge.fault("dropped call", '"replace" or _problem(row, run):', '"replace" or row.get("discarded"):', LEDGER)

misfit = Source(R + "account/misfit.py", MISFIT, SHAPES)
misfit.fault("wrong reduction", "call.expected for call in calls]).sum(0)", "call.expected for call in calls]).mean(0)")
misfit.fault("ignored option", "return self.factor[:, None] * alone", "return alone")
misfit.fault("sign", "    if misfit > tolerance:\n", "    if misfit < tolerance:\n")
misfit.fault("sign", "if bool((call.factor < 0).any()):", "if bool((call.factor < 0).all()):")
misfit.fault("dropped call", "    if silent:\n", "    if False:\n")
misfit.fault("ignored option", "& (call.target != call.options.ignore_index)", "")
misfit.fault("dropped call", "        call.history.append(rows)\n", "        pass\n")
misfit.fault(
    "dropped call", "        if not is_by_class and _in_order([(p, factor)]):", "        if _in_order([(p, factor)]):"
)
misfit.fault("sign", "    return math.exp(-orders)\n", "    return math.exp(orders)\n")
misfit.fault("dropped call", "    if bool(gone.any()):", "    if False:")
misfit.fault("dropped call", "    if direction.shape[1] > 2:\n        return True\n", "    return True\n")
misfit.fault("wrong reduction", "residual, p - 1 / p.shape[1], call", "residual, p - 1, call")
misfit.fault(
    "dropped call",
    "lengths = _lengths(residual, direction)[factor != 0] / factor[factor != 0]",
    "lengths = _lengths(residual, direction)",
)
misfit.fault("ignored option", "TOLERANCE.get(dtype, TOLERANCE[torch.float32])", "TOLERANCE[torch.bfloat16]")

moves = Source(R + "account/moves.py", T + "account/test_moves.py", SHAPES)
moves.fault("index", "    if axis == 0 or math.prod(before) > LARGEST:", "    if math.prod(before) > LARGEST:")
moves.fault("ignored option", "    if axis == 0 or math.prod(before) > LARGEST:", "    if axis == 0:")
moves.fault("dropped call", "    if math.prod(shape) > LARGEST:\n        return None\n", "")
moves.fault("wrong reduction", 'factor if name == "Mul" else 1 / factor', "factor")
moves.fault("index", '((0, "other"), (1, "self"))[: 2', '((0, "other"), (1, "self"))[: 1')
moves.fault(
    "dropped call", "    if above is None or any(other is not None for other, _ in others):", "    if above is None:"
)
moves.fault("dropped call", "if number.dim() < 2 and factor and math", "if number.dim() < 2 and math")
moves.fault("swapped part", "gradient = gradient / numbers[0]", "gradient = gradient * numbers[0]")
moves.fault("sign", "return axis - (1 << 64) if axis >= 1 << 63 else axis", "return axis")

by_hand = Source(R + "account/by_hand.py", T + "account/test_by_hand.py", SHAPES)
by_hand.fault("off-by-one", "rows.shape[1] > LEAST + 1 else 1", "rows.shape[1] > LEAST else 1")
by_hand.fault("dropped call", "    if _are_own_samples(rows):\n        return False\n", "")
by_hand.fault(
    "sign",
    "if node._saved_log_target else",
    "if not node._saved_log_target else",
    why_equivalent="PyTorch here computes kl_div by products; the node is that of older versions",
)
by_hand.fault("off-by-one", "rows.shape[1] >= LEAST and", "rows.shape[1] > LEAST - 2 and")
by_hand.fault(
    "dropped call",
    "name_of(entry) in ENTRY and unshifted(origin_of(child_of(entry))) is source",
    "name_of(entry) in ENTRY",
)
by_hand.fault("dropped call", """== ["LogSigmoid"]:""", "== []:", SHAPES)

softmax_nodes = Source(R + "account/softmax_nodes.py", T + "account/test_by_hand.py", SHAPES)
softmax_nodes.fault("off-by-one", "STEPS = 4", "STEPS = 0")
softmax_nodes.fault(
    "dropped call",
    "return is_softmax(bounded(origin_of(child_of(node))))",
    "return is_softmax(origin_of(child_of(node)))",
)
softmax_nodes.fault("swapped part", "return children[0] if is_shift else node", "return node if is_shift else node")
softmax_nodes.fault("dropped call", "return part is whole and is_softmax(whole)", "return False")

by_gradient = Source(R + "account/by_gradient.py", T + "account/test_by_gradient.py", SHAPES)
by_gradient.fault("dropped call", " and not comes_from(node, ours)]", "]")
by_gradient.fault("off-by-one", "SHIFTS = 2", "SHIFTS = 0")
by_gradient.fault("swapped part", 'result.exp() if name_of(node) == "LogSoftmax" else result', "result")
by_gradient.fault(
    "dropped call",
    "    with contextlib.suppress(Exception):  # freed".replace("    with", "        with"),
    "        with contextlib.nullcontext():  # freed",
)
by_gradient.fault("dropped call", "in layers if ours not in node.metadata][:NODES]", "in layers][:NODES]")
by_gradient.fault("dropped call", " and ours not in getattr(node_of(root)", " and ours in getattr(node_of(root)")
by_gradient.fault("dropped call", "                _watch_scaled(nodes, layer, scores, tell, note)\n", "", SHAPES)
by_gradient.fault("swapped part", "(scores * step[1][1][0]).softmax(1)", "(scores / step[1][1][0]).softmax(1)", SHAPES)
by_gradient.fault("dropped call", "layers_among(nodes), convolutions_among(nodes):", "(layers_among(nodes),):", SHAPES)
by_gradient.fault("dropped call", "if gradient.dim() > 2 and _is_pooled(gradient, scores):", "if False:", SHAPES)
by_gradient.fault("dropped call", "                note(BINARY)\n", "                pass\n", SHAPES)

fits = Source(R + "account/fits.py", T + "account/test_fits.py", T + "account/test_by_gradient.py", SHAPES)
fits.fault("off-by-one", "EVIDENCE = 12", "EVIDENCE = 0")
fits.fault("ignored option", "if different == 1 or different", "if different")
fits.fault("ignored option", "if different == 1 or different == rows == classes:", "if different == 1:")
fits.fault("dropped call", " & _is_balanced(gradient, balanced)", "")
fits.fault("dropped call", "_fits(gradient, p, labels, is_half=is_half) & ", "")
fits.fault("dropped call", " & (slope >= (1 - HALF_CLOSE) * size)", "")
fits.fault("ignored option", "    if is_half:  # k", "    if False:  # k")
fits.fault("dropped call", "same &= (slope > 0) &", "same &=")
fits.fault("off-by-one", "return 1 < len(sizes) <= classes and", "return")
fits.fault("dropped call", "min(map(len, factors)) < 3:", "False:")

class_layers = Source(R + "account/class_layers.py", T + "account/test_class_layers.py", SHAPES)
class_layers.fault("dropped call", "any(name_of(node) in LAYERS and _has_constant(node) for", "any(False for")
class_layers.fault("dropped call", " if is_with_features else []", "")
class_layers.fault("dropped call", "if name_of(node) in KEEPING else ()", "if True else ()")

others = Source(R + "account/others.py", T + "account/test_others.py", SHAPES)
others.fault("dropped call", "            self._follow(layer, weight, passes, streams)\n", "            pass\n")
others.fault("dropped call", "if layer not in behind or any(", "if any(")
others.fault("dropped call", " or any(map(_is_cut, layer.metadata.get(ARRIVALS, ())))]", "]")
others.fault("sign", "is_alone=own.isdisjoint(streams)", "is_alone=not own.isdisjoint(streams)")
others.fault("dropped call", "self.place is None or _is_of_gradients(nodes):", "self.place is None:")

beside_ = Source(R + "account/beside.py", T + "account/test_beside.py", SHAPES)
beside_.fault("off-by-one", 'row["looked"] > layers', 'row["looked"] >= layers')
beside_.fault("dropped call", '(row["updated"] or row["reason"])', "True")
beside_.fault("ignored option", '(row["of"] or not has_choice)', "True")
beside_.fault("dropped call", ' if row["site"] not in explained]', "]")

layers = Source(R + "account/layers.py", T + "account/test_layers.py", SHAPES)
layers.fault("dropped call", "[] if name_of(node) in LAYERS else", "")
layers.fault(
    "swapped part", "return _parameter(node.next_functions[0][0]).t()", "return _parameter(node.next_functions[0][0])"
)
layers.fault("swapped part", 'if name_of(layer) == "Addmm" else scores', 'if name_of(layer) == "Mm" else scores')

unseen = Source(R + "account/unseen.py", SHAPES)
unseen.fault("dropped call", "        watch_softmaxes(uses.nodes, LOGITS, tell, note)\n", "")
unseen.fault("dropped call", "        if start.goes_on:\n", "        if False:\n")
unseen.fault("dropped call", " if node not in behind], LOGITS", "], LOGITS")
unseen.fault("ignored option", "        if start.passes:\n", "        if True:\n")

values_ = Source(R + "account/values.py", T + "account/test_values.py", SHAPES)
values_.fault("off-by-one", "MOVES = 3", "MOVES = 4")
values_.fault("dropped call", " if is_alone else 0", "")
values_.fault("dropped call", "        self._has_gradients = False\n\n    def loads", "\n    def loads")
values_.fault("off-by-one", "if seen.calls > LOOKS and", "if seen.calls > 1 and")

uses = Source(R + "account/uses.py", T + "account/test_uses.py", SHAPES)
uses.fault("wrong reduction", "    return sum(factors) > 1\n", "    return sum(factors) > 0\n")
uses.fault("index", "return len(carries) > 1 and carries[1]", "return len(carries) > 1 and carries[0]")
uses.fault("dropped call", "name in LOSSES and node.metadata.get(MARK) is None and", "name in LOSSES and")
uses.fault("dropped call", " and not _is_inside(node, children):", ":")
uses.fault("dropped call", """any("Backward" in name_of(other) for other in graph) and comes_from""", "comes_from")
uses.fault("off-by-one", "deepest = min(deepest, level + BEYOND)", "deepest = min(deepest, level)")

uses.fault("dropped call", " and float(node._saved_exponent) == 1)", ")")

passes = Source(R + "account/passes.py", T + "account/test_passes.py", SHAPES)
passes.fault("off-by-one", "<= FIRST:", "< FIRST:")
passes.fault(
    "dropped call",
    "        nodes += [child for child, _ in node.next_functions if child is not None]\n",
    "        pass\n",
)
passes.fault("off-by-one", "STRIDE = 7  #", "STRIDE = 700  #")
passes.fault(
    "dropped call", "            self._without_new = 0\n        self._seen", "            pass\n        self._seen"
)
passes.fault("sign", "len(self._seen) >= KINDS", "len(self._seen) < KINDS")

flows = Source(R + "account/flows.py", T + "account/test_flows.py", SHAPES, INPROCESS, LEARN, PROGRAMS, STARTED)
flows.fault(
    "dropped call", "            self._compare_by_hand(stream)\n            stream.before", "            stream.before"
)
flows.fault(
    "ignored option", "flow.is_kept = flow.is_kept or self._is_outer or torch.is_grad_enabled()", "flow.is_kept = False"
)
flows.fault("dropped call", "            if self._owners.owns(optimizer, stream):\n", "            if True:\n")
flows.fault("dropped call", "        if self.after_update is not None and not rests:\n", "        if False:\n")
flows.fault("ignored option", "self._rest(stream) if rests else", "", SHAPES)
flows.fault(
    "dropped call",
    "            if reason:\n                flow.stream.refuse(reason)",
    "            if False:\n                flow.stream.refuse(reason)",
)
flows.fault(
    "dropped call", "        self._passes = Passes()\n\n    def step", "\n    def step", T + "account/test_passes.py"
)
flows.fault("dropped call", "            flow.open = False\n", "")
FLOWED = T + "account/test_returned.py"
flows.fault(
    "dropped call",
    "if flow.accumulates and not flow.is_kept]\n                # Grad",
    "if not flow.is_kept]\n                # Grad",
    FLOWED,
)
flows.fault("ignored option", "(flow.is_kept and flow.logits is None)", "flow.is_kept", FLOWED)
flows.fault("dropped call", "is not None and not watch.is_added_to():", "is not None:", FLOWED)
flows.fault(
    "dropped call",
    "                return  # those of another optimiser",
    "                pass  # those of another optimiser",
    FLOWED,
)
flows.fault("dropped call", " or not (stream.is_credited or stream.by_hand):", ":", FLOWED)
flows.fault("dropped call", "TRIES and not is_of_copies:", "TRIES:")
flows.fault(
    "dropped call", "if stream.parameters and self._owners.owns(owner, stream):", "if self._owners.owns(owner, stream):"
)
flows.fault("dropped call", "                stream.parameters.clear()\n", "                pass\n")
flows.fault("dropped call", "        if not goes_on:", "        if True:")
flows.fault("dropped call", "and leaf.shape in shapes:", "and True:", SHAPES)
flows.fault("dropped call", "or self._is_outer or torch", "or torch", SHAPES)
flows.fault("dropped call", "self._goes_on or not stream.parameters", "False", SHAPES)
flows.fault(
    "dropped call", "            self.ledger.add(stream.row, note=OF_COPIES)\n", "            pass\n", INPROCESS
)

streams = Source(R + "account/streams.py", T + "account/test_streams.py", SHAPES, INPROCESS)
streams.fault("off-by-one", "WALKS = 3", "WALKS = 0", T + "account/test_flows.py")
streams.fault(
    "sign",
    "return is_due and has_no_gradient(parameter)",
    "return is_due and not has_no_gradient(parameter)",
    T + "account/test_flows.py",
)
streams.fault("off-by-one", "self.looks % LOOK_EVERY == 0", "self.looks % LOOK_EVERY == 1", T + "account/test_flows.py")
streams.fault("dropped call", "is_due and has_no_gradient", "has_no_gradient", T + "account/test_flows.py")
streams.fault(
    "dropped call",
    "        if not self.is_updated:\n            self.account.passed(self)",
    "        self.account.passed(self)",
)
streams.fault(
    "sign",
    "                if not math.isfinite(self.value.item()):",
    "                if math.isfinite(self.value.item()):",
)

asked = Source(R + "account/asked.py", FLOWED, SHAPES)
asked.fault("dropped call", "            self._flows.append((self._numbers, flow))\n", "            pass\n")

returned = Source(R + "account/returned.py", FLOWED, SHAPES)
returned.fault("dropped call", "flow.logits in nodes or not", "not")
returned.fault(
    "dropped call", "flow.logits in nodes or not moved.isdisjoint(stream.parameters)", "flow.logits in nodes"
)
returned.fault(
    "ignored option", "    if values is not None and not any(values in", "    if False and not any(values in"
)
returned.fault("ignored option", "or len(inputs) != 1 or", "or")
returned.fault("dropped call", "if tuple(inputs[0].variable.shape) == shape and math", "if math")

stretches = Source(R + "account/stretches.py", T + "account/test_stretches.py", SHAPES)
stretches.fault("dropped call", "or not now.has_moved or", "or")
stretches.fault("off-by-one", "stream.undone_after_training > 1:", "stream.undone_after_training > 0:")
stretches.fault("off-by-one", "stream.undone_after_training > 1:", "stream.undone_after_training > 2:")
stretches.fault(
    "dropped call", "            stream.stretches = 0\n            stream.undone", "            stream.undone"
)
stretches.fault("dropped call", " += parameter in self._trained", " += 1")
stretches.fault("off-by-one", "KEPT = 256", "KEPT = 1")
stretches.fault("dropped call", "            if parameter in self._trained:\n", "            if True:\n", SHAPES)
stretches.fault("dropped call", "        self._tell_taken_back()\n        now", "        now")
stretches.fault("ignored option", "is not None and self._undone.undone_after_training:", "is not None:")
stretches.fault("dropped call", "        if stream.is_credited:  # else", "        if True:  # else", SHAPES)
stretches.fault("dropped call", "        self._undone = None\n        self._tell", "        self._tell")

leaves = Source(R + "account/leaves.py", FLOWED, SHAPES)
leaves.fault("off-by-one", "RESTORED = 1e-6", "RESTORED = 0.0")
leaves.fault("off-by-one", "RESTORED = 1e-6", "RESTORED = 1.0")
leaves.fault(
    "dropped call", "(bool(few_values(gradient).any()) or bool(gradient.any()))", "bool(few_values(gradient).any())"
)
leaves.fault(
    "dropped call",
    "if not parameters and not any(name_of(node) in LAYERS for node in visited):",
    "if not parameters:",
)
leaves.fault("dropped call", "if not parameters and not any(name_of(node) in LAYERS for node in visited):", "if False:")
leaves.fault(
    "dropped call",
    "    with contextlib.suppress(Exception):  # of an odd",
    "    with contextlib.nullcontext():  # of an odd",
)

by_engine = Source(R + "account/set_by_hand.py", T + "account/test_set_by_hand.py", FLOWED, SHAPES)
by_engine.fault("sign", ".norm()) > ALIKE", ".norm()) < ALIKE")
by_engine.fault("dropped call", "return len(now) >= LEAST and not", "return not")
by_engine.fault("dropped call", "not self._is_mixed and is_of_others", "is_of_others")
by_engine.fault("dropped call", "not is_own and _is_sum_of(now, others)", "_is_sum_of(now, others)")
by_engine.fault("sign", "<= ALIKE * float(goal.norm())", "> ALIKE * float(goal.norm())")

merge = Source(R + "account/merge.py", T + "account/test_merge.py", LEDGER)
merge.fault("off-by-one", 'chain["flowed"] >= AGAIN', 'chain["flowed"] > AGAIN')
merge.fault("wrong reduction", 'max(total["misfit"], row.get("misfit", 0.0))', 'row.get("misfit", 0.0)')
merge.fault("off-by-one", 'total["processes"] += bool(row["count"])', 'total["processes"] += 1')
merge.fault("dropped call", '    total["skipped"] += row.get("skipped", 0)\n', "")

receipt = Source(R + "account/receipt.py", LEDGER, INPROCESS, PROGRAMS, LEARN, FAITHFUL, EXAMPLE)
receipt.fault("swapped part", '{"replace": 0, "refuse": 1, "leave": 2}', '{"replace": 2, "refuse": 1, "leave": 0}')
receipt.fault(
    "wrong reduction",
    'return sum(row["count"] for row in self.sites if row["action"] == "replace")',
    'return sum(row["action"] == "replace" for row in self.sites)',
)
receipt.fault("ignored option", "(*self.settings.only, *self.settings.skip)", "self.settings.only")
receipt.fault("ignored option", "(self.settings.lenient or not self.problems)", "not self.problems")
receipt.fault("dropped call", "self.replaced > 0 and (self", "(self")
receipt.fault("sign", '(row.get("error") or 0.0) > GAIN_ERROR', '(row.get("error") or 0.0) < GAIN_ERROR')
receipt.fault(
    "ignored option",
    "return Run(self.settings.phase, has_stepped,",
    'return Run("train", has_stepped,',
)
receipt.fault(
    "ignored option",
    "return Run(self.settings.phase, has_stepped,",
    "return Run(self.settings.phase, True,",
)
receipt.fault(
    "sign", "self.exit_code is None else self.exit_code != 0", "self.exit_code is None else self.exit_code == 0"
)
receipt.fault(
    "swapped part",
    '{"alpha": settings.alpha, "beta": settings.beta}',
    '{"alpha": settings.beta, "beta": settings.alpha}',
)
receipt.fault(
    "wrong reduction", 'worst = max(row["misfit"] for row in proven)', 'worst = min(row["misfit"] for row in proven)'
)
receipt.fault(
    "swapped part",
    '        text["first_ce"],\n        text["first_loss"],\n',
    '        text["first_loss"],\n        text["first_ce"],\n',
)
receipt.fault("dropped call", 'if row["kind"] == "call" and row["count"]]', 'if row["kind"] == "call"]')

replacement = Source(R + "losses/replacement.py", T + "losses/test_replacement.py", INPROCESS, PROGRAMS)
replacement.fault(
    "ignored option",
    "self.alpha, self.beta, False, weight, ignore_index",
    "1.5, self.beta, False, weight, ignore_index",
    T + "test_patch.py",
)
replacement.fault(
    "ignored option",
    "False, weight, ignore_index, reduction, label_smoothing",
    "False, weight, ignore_index, reduction, 0.0",
)
replacement.fault(
    "ignored option", "ignore_index, reduction, label_smoothing)(logits, target)", '-100, "mean", 0.0)(logits, target)'
)
replacement.fault(
    "ignored option",
    "classes, ignore_index, reduction, label_smoothing, logits.device)",
    "classes, ignore_index, reduction, logits.device)",
)
replacement.fault(
    "swapped part",
    "return reduce_rows(of_cross_entropy(ce, alpha, beta, False)",
    "return reduce_rows(of_cross_entropy(ce, beta, alpha, False)",
)
replacement.fault("dropped call", "    if alpha < SMALL_ALPHA:", "    if False:")
replacement.fault("dropped call", "        if missing:\n", "        if False:\n")
replacement.fault("ignored option", "crl(scores, target, self.alpha, self.beta)", "crl(scores, target)")

calls = Source(R + "running/calls.py", INPROCESS, PROGRAMS, SHAPES)
calls.fault("dropped call", "            return value.to(self.input.dtype)\n", "            return value\n")
calls.fault(
    "ignored option",
    "        return reduction\n    return str(",
    "        return reduction\n    return reduction or str(",
)
calls.fault("swapped part", "(self.input.requires_grad or self.target.requires_grad)", "self.target.requires_grad")
calls.fault("dropped call", "logits.log_softmax(class_axis(logits)) if", "logits if")
calls.fault("ignored option", "reduction=reduction, label_smoothing=self.smoothing,", "reduction=reduction,")
calls.fault(
    "ignored option",
    "Options(self.weight, self.ignore_index, self.smoothing",
    "Options(None, self.ignore_index, self.smoothing",
)

dispatch = Source(R + "running/dispatch.py", VERIFY, INPROCESS, PROGRAMS, LEARN, SHAPES, STARTED, EXAMPLE)
dispatch.fault("dropped call", "is_cut=bool(chain.checkpoint)", "is_cut=False", SHAPES)
dispatch.fault("off-by-one", "and gradient.numel() > 1]", "and gradient.numel() > 1000]", SHAPES)
dispatch.fault(
    "ignored option", "Replacement(settings.loss, settings.alpha, settings.beta)", "Replacement(settings.loss)"
)
dispatch.fault(
    "ignored option",
    'Call("cross_entropy", input, target, weight, ignore_index, how, label_smoothing)',
    'Call("cross_entropy", input, target, weight, ignore_index, how)',
)
dispatch.fault(
    "ignored option", "target, weight, ignore_index, how), sys._getframe(2))", "target, weight), sys._getframe(2))"
)
dispatch.fault("ignored option", "smoothing = float(module.smoothing)", "smoothing = 0.1")
dispatch.fault(
    "dropped call",
    'if call.loss == "nll_loss" and (why := _doubt(call.input)):',
    'if call.loss == "no" and (why := ""):',
)
dispatch.fault(
    "ignored option", 'if self.settings.mode != "run":\n            untouched', "if False:\n            untouched"
)
dispatch.fault(
    "dropped call",
    "            self.ledger.count(stream.row)\n        if not chain.measured",
    "            pass\n        if not chain.measured",
)
dispatch.fault("ignored option", "call, self.settings.beta)\n", "call, 1.0)\n")
dispatch.fault(
    "dropped call",
    '        if chain.checkpoint != "again":\n            self.ledger.count(stream.row)',
    "        self.ledger.count(stream.row)",
)
dispatch.fault("dropped call", "        if self._generation != self.ledger.generation:", "        if False:")

chains = Source(R + "running/chains.py", VERIFY, INPROCESS, PROGRAMS, LEARN, SHAPES, STARTED, EXAMPLE)
chains.fault("dropped call", 'chain.replace, chain.site.action, chain.reason = False, "refuse", why', "pass")
chains.fault("dropped call", "        site = self.learned.applied(site, call.loss)\n", "")
chains.fault("ignored option", 'if self.settings.phase == "eval":', "if False:")
chains.fault(
    "sign",
    '("replace", chain.reason) if evaluation else ("leave"',
    '("replace", chain.reason) if not evaluation else ("leave"',
)
chains.fault("dropped call", "if evaluation and not chain.takes_evaluation:", "if False:")
chains.fault(
    "dropped call", 'if chain.site.facts.verdict == "eval":\n            return', "if False:\n            return"
)
chains.fault("sign", "and not self._trains_now(chain, call, frame)", "and self._trains_now(chain, call, frame)")
chains.fault(
    "dropped call", "        if not call.can_train and chain.checkpoint", "        if False and chain.checkpoint"
)
chains.fault("off-by-one", 'return bool(getattr(model, "training", True))', "return True")

proof = Source(R + "running/proof.py", VERIFY, INPROCESS, PROGRAMS, LEARN, SHAPES, STARTED, EXAMPLE)
proof.fault("ignored option", "        if not self.settings.lenient:\n", "        if True:\n")
proof.fault("wrong reduction", 'max(finding.misfit, row.get("misfit", 0.0))', "finding.misfit")

rows = Source(R + "running/rows.py", VERIFY, INPROCESS, PROGRAMS, LEARN, SHAPES, STARTED, EXAMPLE)
rows.fault("ignored option", 'role="validation" if is_evaluation else facts.role', "role=facts.role")

look = Source(R + "running/look.py", T + "sites/test_profiles.py", INPROCESS, PROGRAMS, SCAN, SHAPES)
look.fault("dropped call", "return first % rows == 0", "return True", INPROCESS)
look.fault("ignored option", "return steps <= {0} and first == 0", "return steps <= {0}", INPROCESS)
look.fault("dropped call", "are_targets(classes) or bool(", "bool(", INPROCESS)
look.fault("off-by-one", "MIXED = 2", "MIXED = 3", INPROCESS)
look.fault("index", "chain[first + 1 :]) if k == PROGRAM]", "chain[first + 2 :]) if k == PROGRAM]")
look.fault("dropped call", "    role = _checked(role, call)\n", "")
look.fault(
    "dropped call", "    contexts = [_with_grad(context, call) for context in", "    contexts = [context for context in"
)
look.fault("index", "    depth, context = said[0]\n", "    depth, context = said[-1]\n")
look.fault("dropped call", "strong[1].verdict != context.verdict", "False")
look.fault("off-by-one", "(first + depth, contexts[depth].guard)", "(depth, contexts[depth].guard)")
look.fault("dropped call", "if not _is_criterion_frame(f)), 0)", "), 0)")
look.fault("ignored option", "        choice.role_at(place, role),", "        role,")

guard = Source(R + "running/guard.py", SHAPES, R + "running/guard.py", INPROCESS)
guard.fault("swapped part", "ast.Is: operator.is_,", "ast.Is: operator.is_not,")
guard.fault("swapped part", "    ast.Lt: operator.lt,", "    ast.Lt: operator.le,")
guard.fault("sign", "return not _truth(self.value(node.operand))", "return _truth(self.value(node.operand))")
guard.fault("sign", "decisive = isinstance(node.op, ast.Or)", "decisive = isinstance(node.op, ast.And)")
guard.fault("dropped call", "        if is_open:\n            raise UnknownError\n", "")
guard.fault("ignored option", "            return self.can_train\n", "            return True\n")

learned = Source(R + "running/learned.py", LEARN)
learned.fault("dropped call", 'if entry is None or entry["verdict"] == "open":', "if entry is None:")
learned.fault("off-by-one", "if flowed >= calls - 1:", "if flowed >= calls:")
learned.fault("dropped call", 'len({other["verdict"] for other in same}) == 1:', "True:")
learned.fault(
    "ignored option", "own_verdict=facts.verdict, guarded=False), guards=[]", "own_verdict=facts.verdict))  # ("
)

lock = Source(R + "lock.py", LEARN)
lock.fault("dropped call", "    if changed:\n", "    if False:\n")
lock.fault("off-by-one", "    if not is_known:\n", "    if False:\n")
lock.fault("ignored option", 'mode="learn", steps=updates))', 'mode="learn", steps=1))')
lock.fault("wrong reduction", 'for place in (site["site"], *site["callers"])}', 'for place in (site["site"],)}')
lock.fault("dropped call", "    if not sites:\n        raise", "    if False:\n        raise")

settings = Source(R + "sites/settings.py", LEARN, PROGRAMS)
settings.fault(
    "ignored option", "Choice(self.only, self.skip, self.roles, self.phase)", "Choice(self.only, self.skip, self.roles)"
)
settings.fault(
    "swapped part",
    "Choice(self.only, self.skip, self.roles, self.phase)",
    "Choice(self.skip, self.only, self.roles, self.phase)",
)

scan = Source(R + "scan.py", SCAN, PATCH, CHECK)
scan.fault("off-by-one", 'elif actions == {"replace"}:', 'elif "replace" in actions:')
scan.fault("dropped call", "    result.sites = _judged(result.sites)\n", "")
scan.fault("ignored option", "sites_of(module, holders, choice or Choice())", "sites_of(module, holders, Choice())")
scan.fault("off-by-one", "ROUNDS = 6", "ROUNDS = 1")

scan_places = Source(R + "scanning/places.py", SCAN, PATCH, CHECK)
scan_places.fault("dropped call", "hand_made(module.source, node)\n    return", '""\n    return')
scan_places.fault("dropped call", "or ingredient(module.source, node)", "")
scan_places.fault(
    "ignored option",
    'problem = "timm\'s loss on two views has no exact counterpart; it stays" if loss in OTHER_TIMM else ""',
    'problem = ""',
)
scan_places.fault(
    "dropped call",
    "return {build for build in holders.of(module, func) if not build.is_class}",
    "return set(holders.of(module, func))",
)
scan_places.fault(
    "dropped call", "if name in SOFTMAX_LOGS and not _feeds_nll(module, node):", "if name in SOFTMAX_LOGS:"
)
scan_places.fault("swapped part", 'shown = "validation" if context.verdict == "eval" else role', "shown = role")
scan_places.fault("dropped call", "    if builds and holders.may_be_another(module, node.func):", "    if False:")

patch = Source(R + "patch.py", PATCH, CHECK, EXAMPLE)
patch.fault(
    "dropped call",
    '        and all(c.action == "replace" and c.verdict',
    '        and any(c.action == "replace" and c.verdict',
)
patch.fault("dropped call", 'shared += [edited[-1]] if site.kind == "call" and not site.verdict else []', "pass")

edit_calls = Source(R + "edits/calls.py", PATCH, CHECK, EXAMPLE)
edit_calls.fault(
    "swapped part", '{"alpha": (alpha, 1.5), "beta": (beta, 1.0)}', '{"alpha": (beta, 1.5), "beta": (alpha, 1.0)}'
)
edit_calls.fault("ignored option", "_rewritten(call, site, settings)\n", "_rewritten(call, site, [])\n")
edit_calls.fault("ignored option", "arguments = _named(call.args, CE_OPTIONS, 0)", "arguments = []")
edit_calls.fault(
    "off-by-one", '*CE_OPTIONS), 2), settings, "input", "logits")', '*CE_OPTIONS), 3), settings, "input", "logits")'
)
edit_calls.fault("swapped part", 'settings, "input", "log_probabilities"', 'settings, "input", "logits"')
edit_calls.fault(
    "dropped call",
    '            raise FinegrainedError(f"`{name}` is long deprecated',
    '            RuntimeError(f"`{name}` is long deprecated',
)
edit_calls.fault("ignored option", "smoothing = given[0] if given else", "smoothing = None or")
edit_calls.fault(
    "ignored option", 'keyword=cst.Name("strict"), equal=_tight())', 'keyword=cst.Name("loose"), equal=_tight())'
)

edit_places = Source(R + "edits/places.py", PATCH, CHECK, EXAMPLE)
edit_places.fault("sign", "key=lambda e: e.start, reverse=True)", "key=lambda e: e.start)")
edit_places.fault(
    "off-by-one", "            last = node.end_lineno or last\n", "            last = node.lineno or last\n"
)
edit_places.fault(
    "dropped call", "            if not (following and isinstance", "            if (following and isinstance"
)

guards = Source(R + "reading/guards.py", T + "reading/test_guards.py", SCAN, PROGRAMS, SHAPES)
guards.fault("sign", "tests.insert(0, way_out)", "tests.insert(0, _negated(way_out))")
guards.fault("dropped call", "if way_out := _way_out(scope, backward, around, fixed):", "if False:")
guards.fault("dropped call", "None if _trains_either_way(node, child, source) else ", "")
guards.fault("swapped part", "node.test if child is node.body else _negated(node.test)", "_negated(node.test)")
guards.fault("dropped call", "if names and names <= fixed:", "if False:")
guards.fault("ignored option", 'if {"requires_grad", "is_grad_enabled"} & set(parts):', "if False:")
guards.fault("off-by-one", "below <= node.lineno < start(backward)[0]", "below <= node.lineno")

phase = Source(R + "reading/phase.py", T + "reading/test_phase.py", SCAN, PROGRAMS, SHAPES)
phase.fault("swapped part", 'return "train" if flag.value else "eval"', 'return "eval" if flag.value else "train"')
phase.fault("dropped call", "words_of(model).isdisjoint(TEACHERS)", "True")
phase.fault("sign", "start(call) < start(node)", "start(call) > start(node)")
phase.fault("dropped call", 'if b".backward(" in source.data or', "if")
phase.fault("dropped call", 'if name in ("no_grad", "inference_mode"):', "if False:")
