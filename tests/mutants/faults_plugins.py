"""Faults in the methods, and in what builds their networks."""

from faults import Source

bcnn_method = Source("plugins/finegrained_crl_plugins/bcnn/method.py", "tests/plugins/bcnn")
bcnn_method.fault("dropped call", '"freeze": ["backbone"],', '"freeze": [],')
bcnn_method.fault("dropped call", '"epochs": self.stage1_epochs,', '"epochs": recipe.epochs,')
bcnn_method.fault("dropped call", '"optimizer": self.stage1_optimizer,', '"optimizer": recipe.optimizer,')
bcnn_method.fault("dropped call", '"weight_decay": self.stage1_weight_decay,', '"weight_decay": recipe.weight_decay,')
bcnn_method.fault(
    "ignored option",
    '"schedule": "multistep" if self.stage1_decay_epochs else self.stage1_schedule,',
    '"schedule": "multistep" if self.stage1_decay_epochs else "constant",',
)
bcnn_method.fault("dropped call", '"warmup_epochs": 0,\n', "")
bcnn_method.fault("dropped call", '"clip_grad": 0.0,\n', "")
bcnn_method.fault("ignored option", "Stage(CLASSIFIER, alone, self.cached_views)", "Stage(CLASSIFIER, alone, 0)")
bcnn_method.fault(
    "ignored option", 'return "none" if spec.weights == "none" else self.second_weights', "return self.second_weights"
)
bcnn_method.fault(
    "dropped call",
    "classification_loss(criteria[batch.stage], outputs",
    "classification_loss(criteria[NETWORK], outputs",
)
bcnn_method.fault(
    "ignored option", "classification_scores(criteria[NETWORK]", "classification_scores(criteria[CLASSIFIER]"
)
bcnn_method.fault("ignored option", "nearest=not self.tap", "nearest=True")
bcnn_method.fault("ignored option", '(16 if spec.backbone.startswith("vgg") else 32)', "32")
bcnn_method.fault("index", "compact_dim=self.compact_dim,\n", "compact_dim=0,\n")
bcnn_method.fault("dropped call", "epsilon=self.epsilon,\n", "epsilon=1e-5,\n")
bcnn_method.fault("ignored option", "reduce=self.reduce,\n", "reduce=0,\n")

bcnn_model = Source("plugins/finegrained_crl_plugins/bcnn/model.py", "tests/plugins/bcnn")
bcnn_model.fault("index", "self.descriptor(streams[0], streams[-1])", "self.descriptor(streams[0], streams[0])")
bcnn_model.fault("ignored option", "self.classifier(self.dropout(vector)), vector", "self.classifier(vector), vector")
bcnn_model.fault("dropped call", "nn.Dropout(spec.drop_rate)", "nn.Dropout(0.0)")
bcnn_model.fault("index", "min(first.shape[2], other.shape[2])", "max(first.shape[2], other.shape[2])")
bcnn_model.fault(
    "sign", "return (images * std + mean - new_mean) / new_std", "return (images * std + mean + new_mean) / new_std"
)
bcnn_model.fault("ignored option", "_renormalised(images, self.backbone, self.second)", "images")
bcnn_model.fault(
    "ignored option", "zip(self.reduce, streams, strict=True)", "zip(self.reduce, streams[::-1], strict=True)"
)
bcnn_model.fault(
    "ignored option", "[self.classifier, *([self.reduce] if self.reduce is not None else [])]", "[self.classifier]"
)
bcnn_model.fault("dropped call", "nn.BatchNorm2d(reduced), nn.ReLU()", "nn.ReLU()")

bcnn_bilinear = Source("plugins/finegrained_crl_plugins/bcnn/bilinear.py", "tests/plugins/bcnn")
bcnn_bilinear.fault("index", "/ x.shape[2]", "/ x.shape[1]")
bcnn_bilinear.fault("dropped call", "torch.where(x < 0, -root, root)", "root")

bcnn_matrix_sqrt = Source("plugins/finegrained_crl_plugins/bcnn/matrix_sqrt.py", "tests/plugins/bcnn")
bcnn_matrix_sqrt.fault("index", "x = x - x.mean(2, keepdim=True)", "x = x - x.mean(1, keepdim=True)")
bcnn_matrix_sqrt.fault("wrong reduction", "y * trace.sqrt()", "y * trace")
bcnn_matrix_sqrt.fault("swapped part", "y, z = y @ step, step @ z", "y, z = y @ step, z")
bcnn_matrix_sqrt.fault("swapped part", "torch.triu_indices(*matrix", "torch.tril_indices(*matrix")

bcnn_tensor_sketch = Source("plugins/finegrained_crl_plugins/bcnn/tensor_sketch.py", "tests/plugins/bcnn")
bcnn_tensor_sketch.fault("sign", "bins[0][:, None] + bins[1][None, :]", "bins[0][:, None] - bins[1][None, :]")
bcnn_tensor_sketch.fault("dropped call", "* 2.0 - 1.0", "* 2.0")

dfl_method = Source("plugins/finegrained_crl_plugins/dfl/method.py", "tests/plugins/dfl")
dfl_method.fault("dropped call", 'losses["side"] = self.side_weight * losses["side"]', "pass")
dfl_method.fault(
    "ignored option",
    'return scores["global"] + scores["part"] + self.side_weight * scores["side"]',
    'return scores["global"] + scores["part"] + scores["side"]',
)
dfl_method.fault(
    "ignored option",
    'return scores["global"] + scores["part"] + self.side_weight * scores["side"]',
    'return scores["part"] + self.side_weight * scores["side"]',
)
dfl_method.fault(
    "ignored option", 'if self.init == "random":\n            return []', "if False:\n            return []"
)
dfl_method.fault(
    "swapped part", "repeat_interleave(self.filters, dim=1) / self.filters", "repeat(1, self.filters) / self.filters"
)
dfl_method.fault("dropped call", "model.part.bias.zero_()\n", "")
dfl_method.fault("dropped call", "        model.eval()\n        pool", "        pool")
dfl_method.fault("dropped call", "model.train(was_training)\n", "")
dfl_method.fault(
    "ignored option",
    "bank.weight[label * self.filters : (label + 1) * self.filters]",
    "bank.weight[label : label + self.filters]",
)
dfl_method.fault("sign", "return bool(left[label] >= 0)", "return bool(left[label] > 0)")
dfl_method.fault("ignored option", "labels[wanted].tolist()", "labels[: len(wanted)].tolist()")
dfl_method.fault(
    "ignored option", "own = slice(label * self.filters, (label + 1) * self.filters)", "own = slice(0, self.filters)"
)
dfl_method.fault("sign", "values.argsort(descending=True)", "values.argsort()")
dfl_method.fault(
    "swapped part",
    "(column + 0.5) * images[3] / maps[3], (row + 0.5) * images[2] / maps[2]",
    "(row + 0.5) * images[2] / maps[2], (column + 0.5) * images[3] / maps[3]",
)
dfl_method.fault(
    "ignored option", '"part": Outputs(outputs.part, outputs.peaks)', '"part": Outputs(outputs.side, outputs.peaks)'
)
dfl_method.fault("ignored option", "calibrate(model.bank, ", "(lambda *_: None)(model.bank, ")
dfl_method.fault("ignored option", '(8 if spec.backbone.startswith("vgg") else 16)', "16")
dfl_method.fault("ignored option", "filters=self.filters, tap=tap", "filters=10, tap=tap")

dfl_model = Source("plugins/finegrained_crl_plugins/dfl/model.py", "tests/plugins/dfl")
dfl_model.fault(
    "wrong reduction",
    "features = F.dropout(maps.mean((2, 3)), self.drop_rate, self.training)",
    "features = maps.mean((2, 3))",
)
dfl_model.fault(
    "ignored option", "part = self.part(F.dropout(peaks, self.drop_rate, self.training))", "part = self.part(peaks)"
)
dfl_model.fault("ignored option", "F.dropout(peaks, self.drop_rate, self.training)", "F.dropout(peaks, self.drop_rate)")
dfl_model.fault("ignored option", "return [self.bank, self.part, self.whole]", "return [self.part, self.whole]")
dfl_model.fault("dropped call", "nn.BatchNorm2d(num_classes), nn.ReLU())", "nn.BatchNorm2d(num_classes))")

dfl_filter_bank = Source("plugins/finegrained_crl_plugins/dfl/filter_bank.py", "tests/plugins/dfl")
dfl_filter_bank.fault("sign", "argmax(dim=1)", "argmin(dim=1)")
dfl_filter_bank.fault("ignored option", "values = self.scale * (", "values = (")
dfl_filter_bank.fault("ignored option", "values if self.bias is None else values + self.bias", "values")
dfl_filter_bank.fault("sign", "bias.copy_(-total / count)", "bias.copy_(total / count)")
dfl_filter_bank.fault("dropped call", "bank.scale.fill_(1 / max(size, 1e-12))", "bank.scale.fill_(max(size, 1e-12))")

dfl_patches = Source("plugins/finegrained_crl_plugins/dfl/patches.py", "tests/plugins/dfl")
dfl_patches.fault("sign", "descending=True, stable=True", "descending=False, stable=True")
dfl_patches.fault("sign", "value > 0", "value >= 0")
dfl_patches.fault(
    "ignored option", "2 * radius + 1, stride=1, padding=radius", "2 * radius - 1, stride=1, padding=radius - 1"
)
dfl_patches.fault("wrong reduction", "np.outer(mean, mean)", "0")
dfl_patches.fault(
    "ignored option",
    "< self.per_class:\n                self.kept[label][place]",
    "< 0:\n                self.kept[label][place]",
)
dfl_patches.fault("sign", "np.argsort(-np.bincount", "np.argsort(np.bincount")
dfl_patches.fault("wrong reduction", "(centres - mean).T", "centres.T")
dfl_patches.fault("dropped call", "ridge * scale", "scale")
dfl_patches.fault(
    "wrong reduction",
    "np.sqrt((np.trace(covariance) + mean @ mean) / len(mean))",
    "np.sqrt(np.trace(covariance) / len(mean))",
)

dcl_method = Source("plugins/finegrained_crl_plugins/dcl/method.py", "tests/plugins/dcl")
dcl_method.fault("ignored option", "self.construction_weight * F.l1", "F.l1")
dcl_method.fault("swapped part", "F.l1_loss", "F.mse_loss")
dcl_method.fault("swapped part", "batch.target.repeat_interleave(2, dim=0)", "batch.target.repeat(2)")
dcl_method.fault(
    "index",
    'classification_scores(criteria["class"], seen)[::2]',
    'classification_scores(criteria["class"], seen)[1::2]',
)
dcl_method.fault("wrong reduction", "return scores + twice.sum(1)", "return scores")
dcl_method.fault(
    "ignored option", 'if self.swap == "2":\n            return scores', "if True:\n            return scores"
)
dcl_method.fault(
    "ignored option",
    'source = images if self.shuffle == "paper" else destruction.without_border(images)',
    "source = images",
)
dcl_method.fault(
    "swapped part",
    "torch.stack([images, shuffle_blocks(source, permutation, self.grid)], dim=1)",
    "torch.stack([shuffle_blocks(source, permutation, self.grid), images], dim=1)",
)
dcl_method.fault(
    "swapped part",
    "torch.stack([target, target + num_classes], dim=1)",
    "torch.stack([target + num_classes, target], dim=1)",
)
dcl_method.fault(
    "swapped part",
    "torch.cat([target, nothing], dim=1), torch.cat([nothing, target], dim=1)",
    "torch.cat([nothing, target], dim=1), torch.cat([target, nothing], dim=1)",
)
dcl_method.fault(
    "swapped part", "torch.stack([intact, permutation], dim=1)", "torch.stack([permutation, intact], dim=1)"
)
dcl_method.fault(
    "ignored option", 'if self.shuffle == "repository":\n            permutation', "if False:\n            permutation"
)
dcl_method.fault("swapped part", "by_default=False", "by_default=True")
dcl_method.fault("ignored option", 'if self.destroy == "worker" else None', "if False else None")
dcl_method.fault(
    "ignored option",
    "random_permutations(len(images), self.grid, self.reach, self.shuffle",
    'random_permutations(len(images), self.grid, self.reach, "paper"',
)
dcl_method.fault(
    "ignored option",
    "random_permutations(len(images), self.grid, self.reach,",
    "random_permutations(len(images), self.grid, 4,",
)

dcl_model = Source("plugins/finegrained_crl_plugins/dcl/model.py", "tests/plugins/dcl")
dcl_model.fault("ignored option", '2 * spec.num_classes if swap == "2c" else 2', "2 * spec.num_classes")
dcl_model.fault("wrong reduction", "F.dropout(maps.mean((2, 3)), self.drop_rate, self.training)", "maps.mean((2, 3))")
dcl_model.fault(
    "wrong reduction",
    "F.dropout(maps.mean((2, 3)), self.drop_rate, self.training)",
    "F.dropout(maps.mean((2, 3)), self.drop_rate)",
)
dcl_model.fault(
    "ignored option", "return [self.classifier, self.swap, self.construction]", "return [self.classifier, self.swap]"
)

dcl_construction = Source("plugins/finegrained_crl_plugins/dcl/construction.py", "tests/plugins/dcl")
dcl_construction.fault(
    "swapped part", "permutation // grid + 1, permutation % grid + 1", "permutation % grid + 1, permutation // grid + 1"
)
dcl_construction.fault("wrong reduction", "* scale).sum(2)", ").sum(2)")
dcl_construction.fault("sign", ".abs().argmin(dim=2)", ".argmin(dim=2)")
dcl_construction.fault("ignored option", "self.pool(places.relu())", "self.pool(places)")
dcl_construction.fault("swapped part", "self.pool(places).tanh()", "self.pool(places.tanh())")

dcl_destruction = Source("plugins/finegrained_crl_plugins/dcl/destruction.py", "tests/plugins/dcl")
dcl_destruction.fault("dropped call", "(noise - 0.5)", "(noise)")
dcl_destruction.fault("swapped part", "noise[..., place] < 0.5", "noise[..., place] < 0.4")
dcl_destruction.fault("dropped call", "columns = in_rows.gather(1, rows)", "columns = in_rows")
dcl_destruction.fault("ignored option", "np.float32(0.5)", "np.float32(0.0)")
dcl_destruction.fault("ignored option", "BORDER = 10 / 448", "BORDER = 20 / 448")
dcl_destruction.fault(
    "swapped part",
    "np.stack([pixels, shuffle_picture(source, permutation, self.grid)])",
    "np.stack([shuffle_picture(source, permutation, self.grid), pixels])",
)

adience_method = Source("plugins/finegrained_crl_plugins/adience/method.py", "tests/plugins/adience")
adience_method.fault("swapped part", "self.decoder = decoder", 'self.decoder = "argmax"')

timm_classifier = Source(
    "finegrained_crl/training/timm_classifier.py",
    "tests/plugins/resnet",
    "tests/training/test_explain.py",
    "tests/training/test_weights.py",
    "tests/training/test_backbone.py",
    "tests/training/test_input_size.py",
)
timm_classifier.fault("ignored option", "forward_head(maps, pre_logits=True)", "forward_head(maps, pre_logits=False)")
timm_classifier.fault(
    "ignored option",
    "logits = head(features) if isinstance(head, nn.Module) else self.net.forward_head(maps)",
    "logits = self.net.forward_head(maps)",
)
timm_classifier.fault("index", "stages[-2] if from_token else stages[-1]", "stages[-1]")
timm_classifier.fault("index", "stages[-2] if from_token else stages[-1]", "stages[-2]")
timm_classifier.fault(
    "swapped part", 'tuple(config["mean"]), tuple(config["std"])', 'tuple(config["std"]), tuple(config["mean"])'
)
timm_classifier.fault("dropped call", "else list(head)", "else [head[0]]")

backbone = Source(
    "finegrained_crl/training/backbone.py",
    "tests/plugins/resnet",
    "tests/training/test_explain.py",
    "tests/training/test_weights.py",
    "tests/training/test_backbone.py",
    "tests/training/test_input_size.py",
    "tests/plugins/bcnn",
)
backbone.fault(
    "swapped part", 'tuple(config["mean"]), tuple(config["std"])', 'tuple(config["std"]), tuple(config["mean"])'
)
backbone.fault("dropped call", "return len(strides) - 1 - strides[::-1].index(stride)", "return strides.index(stride)")
backbone.fault("dropped call", "return self.maps(final), tapped\n", "return self.maps(final), final\n")
backbone.fault("dropped call", "_take_out_idle(self.net, passed.seen)\n", "\n")
backbone.fault("dropped call", "self.train(was_training)\n", "\n")
backbone.fault("dropped call", "key=lambda s: abs(s - stride)", "key=lambda s: s")
backbone.fault("index", "norm=True, intermediates_only=True)[-1]", "norm=False, intermediates_only=True)[-1]")

optim = Source("finegrained_crl/training/optim.py", "tests/training/test_optim.py")
optim.fault("ignored option", "parameter.ndim > 1 or recipe.decay_all", "parameter.ndim > 1")
optim.fault("swapped part", 'lr": head_lr if in_head else recipe.lr', 'lr": recipe.lr if in_head else head_lr')
optim.fault(
    "ignored option", "recipe.lr if recipe.head_lr is None else recipe.head_lr", "recipe.head_lr or recipe.lr * 10"
)
optim.fault("dropped call", '"momentum": recipe.momentum', '"momentum": 0.9')
optim.fault("dropped call", "epoch * per + 1 for", "epoch * per for")
optim.fault("index", "r.decay_epochs[0] * per", "r.decay_epochs[0]")
optim.fault("dropped call", "lr_min=r.min_lr", "lr_min=0.0")
optim.fault("ignored option", "r.warmup_epochs * per", "r.warmup_epochs")
optim.fault("dropped call", "decay_rate=r.decay_rate, **warmup)\n    # timm", "decay_rate=0.1, **warmup)\n    # timm")
optim.fault("dropped call", "parameter.requires_grad_(False)", "pass")
optim.fault("dropped call", "if not any(id(p) in head for p in own):", "if True:")

weights = Source(
    "finegrained_crl/training/weights.py",
    "tests/plugins/resnet",
    "tests/training/test_explain.py",
    "tests/training/test_weights.py",
    "tests/training/test_backbone.py",
    "tests/training/test_input_size.py",
)
weights.fault("dropped call", '"drop_rate": spec.drop_rate}', '"drop_rate": 0.0}')
weights.fault("dropped call", 'options["drop_path_rate"] = spec.drop_path_rate', "pass")
weights.fault("dropped call", "dropped = [k for k in state if k.startswith(head)]", "dropped = []")
