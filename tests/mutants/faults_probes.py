"""Faults in probes: heads, features, corruption, the cells that are written."""

from faults import Source

P, T = "finegrained_crl/probes/", "tests/probes/"

owners = Source(P + "owners.py", T + "test_heads.py")
owners.fault("ignored option", "torch.manual_seed(seed)", "torch.manual_seed(0)")
owners.fault("swapped part", "if parameter.ndim > 1]", "if parameter.ndim == 1]")
owners.fault("wrong reduction", "for head in self._criteria]).sum()", "for head in self._criteria]).mean()")

heads = Source(P + "heads.py", T + "test_heads.py")
heads.fault("off-by-one", "return (update + 1) / self.warmup", "return update / self.warmup")
heads.fault("sign", "0.5 * (1 + math.cos(", "0.5 * (1 - math.cos(")
heads.fault("ignored option", 'if self.schedule == "constant":', "if False:")
heads.fault(
    "dropped call",
    "inner = F.relu(torch.addmm(self.inner_bias, features, self.inner)).view",
    "inner = torch.addmm(self.inner_bias, features, self.inner).view",
)
heads.fault(
    "wrong reduction", "terms.append(criterion(flat, repeated) * heads)", "terms.append(criterion(flat, repeated))"
)
heads.fault("index", "target.repeat(heads) if", "target.repeat_interleave(heads) if")
heads.fault("ignored option", '"lr": lr, "weight_decay": weight_decay})', '"lr": lr, "weight_decay": 0.0})')
heads.fault("swapped part", '"lr": lr, "weight_decay": 0.0})', '"lr": lr, "weight_decay": weight_decay})')
heads.fault("ignored option", 'nesterov=training.optimizer == "sgd")', "nesterov=True)")
heads.fault("ignored option", "momentum=training.momentum,", "momentum=0.8,")
heads.fault("dropped call", "        schedule.step()\n", "")
heads.fault("index", "dim=1)[:, self._back]", "dim=1)")
heads.fault("ignored option", "torch.manual_seed(training.seed)", "torch.manual_seed(0)")
heads.fault("dropped call", "        optimizer.zero_grad(set_to_none=True)\n", "")
heads.fault("ignored option", "    if not training.label_smoothing:\n", "    if True:\n")
heads.fault("off-by-one", "4 * numbers * (2 + states)", "4 * numbers * (1 + states)")

corruption = Source(P + "corruption.py", T + "test_corruption.py")
corruption.fault("off-by-one", "random.integers(1, num_classes", "random.integers(0, num_classes")
corruption.fault("swapped part", "random.permutation(rows)[", "random.permutation(len(labels))[")
corruption.fault("ignored option", "np.random.default_rng((seed, 1))", "np.random.default_rng((0, 1))")
corruption.fault("sign", "ratio ** (-label /", "ratio ** (label /")
corruption.fault("off-by-one", "max(1, classes - 1)", "max(1, classes)")
corruption.fault("dropped call", "return np.sort(np.concatenate(kept))", "return np.concatenate(kept)")

study = Source(P + "study.py", T + "test_study.py")
study.fault("off-by-one", "view = 1 + epoch % self.options.views", "view = epoch % self.options.views")
study.fault("swapped part", "(raw - material.mean) / material.deviation", "raw - material.mean")
study.fault("index", "_scale(self.features[0, train])", "_scale(self.features[0])")
study.fault("index", "logits[:, i] for name", "logits[:, 0] for name")
study.fault("ignored option", "num_classes, self.options.label_noise, group.seed", "num_classes, 0.0, group.seed")
study.fault("dropped call", "                order.epoch = epoch\n", "")
study.fault("swapped part", '("val", material.context.parts.val))', '("val", material.context.parts.test))')
study.fault("ignored option", "warmup=recipe.warmup_epochs * batches_per_epoch", "warmup=0")
study.fault(
    "swapped part", "heads = [Head(cell.recipe.loss, cell.recipe.lr,", "heads = [Head(cell.recipe.loss, recipe.lr,"
)
study.fault("ignored option", "thinned(parts.train, labels, self.options.imbalance, group.seed)", "parts.train")

writing = Source(P + "writing.py", T + "test_study.py")
writing.fault(
    "index",
    "part_figures(records, self.rows[part], scores",
    "part_figures(records, self.rows[part][::-1], scores",
)
writing.fault("dropped call", "self.protocol | self.material.corruption", "self.protocol")
writing.fault("dropped call", '{**self.constant["data"], **sizes}', 'self.constant["data"]')
writing.fault("index", "np.arange(0, values.size + 1, values.shape[1]", "np.arange(0, values.size + 1, values.shape[0]")

features = Source(P + "features.py", T + "test_features.py", T + "test_study.py")
features.fault("ignored option", '        "views": views,\n', "")
features.fault("index", "(len(batch.labels), -1)).mean(1)", "(len(batch.labels), -1))[:, 0]")
features.fault(
    "swapped part",
    "session.train_pictures if view else session.eval_pictures",
    "session.eval_pictures if view else session.train_pictures",
)
features.fault("index", "[(view, int(row)) for row in rows]", "[(1, int(row)) for row in rows]")
