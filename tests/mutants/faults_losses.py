"""Faults in the losses: the formula, its branches, and PyTorch's rules for targets, weights and means."""

from faults import Source

L = "finegrained_crl/losses/"

crl = Source(L + "competing_ratio.py", "tests/losses/test_competing_ratio.py", "tests/losses/test_softmax_loss.py")
crl.fault("sign", "torch.add(ce, ratio, alpha=beta)", "torch.sub(ce, ratio, alpha=beta)")
crl.fault("off-by-one", "torch.rsub(torch.exp(-ce), alpha + 1)", "torch.rsub(torch.exp(-ce), alpha)")
crl.fault("ignored option", "torch.add(ce, ratio, alpha=beta)", "torch.add(ce, ratio)")
crl.fault("sign", "torch.expm1(-ce) * (-1 / alpha)", "torch.expm1(-ce) * (1 / alpha)")
crl.fault(
    "ignored option",
    "self.alpha, self.beta, self.subtract_floor, **self.pytorch_options()",
    "self.alpha, self.beta, False, **self.pytorch_options()",
)
crl.fault(
    "swapped part",
    "self.alpha, self.beta, self.subtract_floor = alpha, beta, subtract_floor",
    "self.alpha, self.beta, self.subtract_floor = beta, alpha, subtract_floor",
)
crl.fault("dropped call", "log_ratio + math.log1p(alpha)) - (floor", "log_ratio) - (floor")
crl.fault("ignored option", "(floor if subtract_floor else 0.0)", "0.0")
crl.fault("ignored option", "torch.add(-log_p, log_ratio, alpha=beta)", "torch.add(-log_p, log_ratio)")
crl.fault("off-by-one", "logits.shape[axis] < 2", "logits.shape[axis] < 1")
crl.fault(
    "ignored option",
    "subtract_floor, weight, ignore_index, reduction, label_smoothing)\n\n\nclass",
    "subtract_floor, weight, ignore_index, reduction, 0.0)\n\n\nclass",
)
crl.fault("sign", "elif alpha < math.sqrt(beta):", "elif alpha > math.sqrt(beta):")

reduction = Source(L + "reduction.py", "tests/losses/test_competing_ratio.py", "tests/losses/test_catalogue.py")
reduction.fault("dropped call", "    scores = to_full_precision(logits)\n", "    scores = logits\n")
reduction.fault("sign", "kept = target != ignore_index\n    own", "kept = target == target\n    own")
reduction.fault(
    "sign", "(1 - label_smoothing) * (own * rows) + label_smoothing * spread", "(own * rows) + label_smoothing * spread"
)
reduction.fault("dropped call", "(losses * _per_class(weight, losses)).mean(axis)", "losses.mean(axis)")
reduction.fault("wrong reduction", "else mixed.sum() / rows.sum()", "else mixed.mean()")
reduction.fault("wrong reduction", "        rows = rows / rows.sum()\n", "        rows = rows / rows.numel()\n")
reduction.fault("dropped call", "return values * rows", "return values")
reduction.fault("dropped call", "[target.where(kept, 0).long()] * kept", "[target.where(kept, 0).long()]")
reduction.fault(
    "off-by-one",
    "mass * (1 - label_smoothing) + label_smoothing / losses.shape[axis]",
    "mass * (1 - label_smoothing) + label_smoothing / (losses.shape[axis] - 1)",
)
reduction.fault("dropped call", "(mass * _per_class(weight, losses) * losses)", "(mass * losses)")
reduction.fault(
    "wrong reduction",
    'return values.sum() if reduction == "sum" else values.mean()\n\n\ndef _per_class',
    "return values.mean()\n\n\ndef _per_class",
)
reduction.fault("index", "min(logits.dim() - 1, 1)", "logits.dim() - 1")
reduction.fault("index", "[-1] + [1] * (losses.dim() - axis - 1)", "[1] * (losses.dim() - axis - 1) + [-1]")

nllr = Source(
    L + "negative_log_likelihood_ratio.py", "tests/losses/test_ratio_relatives.py", "tests/losses/test_catalogue.py"
)
nllr.fault("sign", "log_complement(log_p, axis) - log_p", "log_complement(log_p, axis) + log_p")
nllr.fault("ignored option", "losses if self.floor is None else", "losses if True else")
nllr.fault("sign", "losses.clamp_min(self.floor)", "losses.clamp_max(self.floor)")
nllr.fault("off-by-one", "p.clamp(clamp, 1 - clamp)", "p.clamp(clamp, 1.0)")
nllr.fault("dropped call", "(1 - kept) / kept + clamp", "(1 - kept) / kept")

one_vs_rest = Source(L + "one_vs_rest.py", "tests/losses/test_ratio_relatives.py", "tests/losses/test_catalogue.py")
one_vs_rest.fault("sign", "-log_p + _sum_over_others", "-log_p - _sum_over_others")
one_vs_rest.fault("dropped call", "(total - small + largest)", "(total + largest)")
one_vs_rest.fault("sign", "absent = -log_complement", "absent = log_complement")

complement = Source(
    L + "log_complement.py",
    "tests/losses/test_competing_ratio.py",
    "tests/losses/test_ratio_relatives.py",
    "finegrained_crl/losses/log_complement.py",
)
complement.fault("sign", "torch.log1p(-others.exp())", "torch.log1p(others.exp())")
complement.fault("index", "log_probabilities.detach().argmax(axis", "log_probabilities.detach().argmin(axis")
complement.fault("dropped call", ".where(~alone, -torch.inf)", "", "tests/losses/test_lonely_class.py")

eq14 = Source(
    L + "paper_eq14.py",
    "tests/losses/test_ratio_relatives.py",
    "tests/losses/test_catalogue.py",
    "finegrained_crl/losses/paper_eq14.py",
)
eq14.fault("sign", "self.alpha, -self.beta, False", "self.alpha, self.beta, False")

dual = Source(
    L + "dual_cross_entropy.py", "tests/losses/test_reconstructed.py", "finegrained_crl/losses/dual_cross_entropy.py"
)
dual.fault("dropped call", "penalties.sum(axis, keepdim=True) - penalties)", "penalties.sum(axis, keepdim=True))")
dual.fault("ignored option", "-log_p + self.beta * (", "-log_p + (")

emd = Source(L + "squared_emd.py", "tests/losses/test_ordinal_losses.py", "finegrained_crl/losses/squared_emd.py")
emd.fault("off-by-one", ">= labels.unsqueeze(1)", "> labels.unsqueeze(1)")
emd.fault("wrong reduction", ".square().sum(1)", ".abs().sum(1)")
emd.fault("dropped call", "logits.softmax(dim=1).cumsum(dim=1)", "logits.softmax(dim=1)")

link = Source(L + "link.py", "tests/losses/test_link.py", "finegrained_crl/losses/link.py")
link.fault("sign", "p * (total - p) / (total - (1 - beta) * p)", "p * (total + p) / (total - (1 - beta) * p)")
link.fault("sign", "(total - (1 - beta) * p)", "(total - (1 + beta) * p)")
link.fault("index", "psi / psi.sum(-1)[..., None]", "psi / psi.sum(0)")

targets = Source(
    L + "ordinal_targets.py",
    "tests/losses/test_ordinal_loss.py",
    "tests/losses/test_ordinal_losses.py",
    "finegrained_crl/losses/ordinal_targets.py",
)
targets.fault("sign", "torch.softmax(-scale * (", "torch.softmax(scale * (")
targets.fault("ignored option", 'steps if distance == "absolute" else steps.square()', "steps")
targets.fault("wrong reduction", "(2 * sigma**2)", "(2 * sigma)")
targets.fault("index", "(classes - classes.unsqueeze(1))", "(classes + classes.unsqueeze(1))")
targets.fault("dropped call", "            rows = rows * (mixture @ weight.to(losses.dtype))\n", "            pass\n")
targets.fault("index", "mixture @ table * losses", "mixture @ table.T * losses")
targets.fault(
    "ignored option",
    "target, weight, ignore_index, reduction)\n\n\ndef _steps",
    "target, None, ignore_index, reduction)\n\n\ndef _steps",
)

ordinal = Source(
    L + "ordinal_loss.py",
    "tests/losses/test_ordinal_loss.py",
    "tests/losses/test_ordinal_loss.py",
    "tests/losses/test_ordinal_losses.py",
    "tests/losses/test_catalogue.py",
)
ordinal.fault(
    "ignored option",
    "reduce_rows(rows, target, self.weight, self.ignore_index, self.reduction)",
    "reduce_rows(rows, target, self.weight, -100, self.reduction)",
)
ordinal.fault(
    "ignored option", "table, self.weight, self.ignore_index, self.reduction)", "table, self.weight, self.ignore_index)"
)
ordinal.fault("dropped call", "self.row_losses(to_full_precision(input), target)", "self.row_losses(input, target)")

soft = Source(L + "soft_labels.py", "tests/losses/test_ordinal_losses.py", "finegrained_crl/losses/soft_labels.py")
soft.fault("ignored option", "(1 - eta) * torch.eye(num_classes) + eta * table.float()", "table.float()")
soft.fault(
    "ignored option",
    "competing_ratio_losses(logits, self.alpha, self.beta)",
    "competing_ratio_losses(logits, self.alpha)",
)

softmax = Source(L + "softmax_loss.py", "tests/losses/test_softmax_loss.py", "tests/losses/test_options.py")
softmax.fault("ignored option", '"label_smoothing": self.label_smoothing,', '"label_smoothing": 0.0,')
softmax.fault("ignored option", '"ignore_index": self.ignore_index,', '"ignore_index": -100,')
softmax.fault("ignored option", '"weight": self.weight,', '"weight": None,')
softmax.fault("dropped call", "        require_weight(self.weight, input.shape[class_axis(input)])\n", "")

RELATIVES, FEATURES = "tests/losses/test_ratio_relatives.py", "tests/losses/test_feature_losses.py"
ORDINAL, CATALOGUE = "tests/losses/test_ordinal_losses.py", "tests/losses/test_catalogue.py"
RECONSTRUCTED = "tests/losses/test_reconstructed.py"

focal = Source(L + "focal.py", "tests/losses/test_focal.py", CATALOGUE)
focal.fault("ignored option", ".pow(self.gamma) * ce", ".pow(2.0) * ce")
focal.fault("sign", "rest = -torch.expm1(-ce)", "rest = torch.exp(-ce)")
focal.fault("dropped call", "rest.clamp_min(torch.finfo(ce.dtype).tiny).pow", "rest.pow")
poly = Source(L + "poly.py", "tests/losses/test_poly.py", CATALOGUE)
poly.fault("sign", "torch.sub(ce, torch", "torch.add(ce, torch")
poly.fault("ignored option", "torch.expm1(-ce), alpha=self.epsilon)", "torch.expm1(-ce), alpha=2.0)")
tamed = Source(L + "tamed_cross_entropy.py", RECONSTRUCTED, CATALOGUE)
tamed.fault("dropped call", "* log_distance) / (1 - self.alpha)", "* log_distance)")
tamed.fault("sign", "log_distance if self.alpha == 1 else", "log_distance if self.alpha != 1 else")
margin = Source(L + "soft_margin.py", RELATIVES, CATALOGUE)
margin.fault("sign", "* -math.expm1(margin))", "* math.expm1(-margin))")
margin.fault("ignored option", "with_margin(ce, self.margin)", "with_margin(ce, 0.5)")
cdw = Source(L + "cdw_cross_entropy.py", ORDINAL, CATALOGUE)
cdw.fault("ignored option", "** self.alpha * absent", "** 5.0 * absent")
cdw.fault("sign", "absent = -log_complement", "absent = log_complement")
variance = Source(L + "mean_variance.py", ORDINAL, CATALOGUE)
variance.fault("ignored option", "self.lambda_1 / 2 *", "self.lambda_1 *")
variance.fault("swapped part", "+ self.lambda_2 * variance", "+ self.lambda_1 * variance")
variance.fault(
    "wrong reduction",
    "(classes - mean.unsqueeze(1)).square()).sum(1)",
    "(classes - mean.unsqueeze(1)).square()).mean(1)",
)
dldl = Source(L + "dldl.py", ORDINAL, CATALOGUE)
dldl.fault("sign", ".log()).sum(1) - log_p @ table.T", ".log()).sum(1) + log_p @ table.T")
dldl.fault("ignored option", "divergence + self.lam * error", "divergence + error")
dldl.fault("ignored option", "dldl_targets(logits.shape[1], self.sigma)", "dldl_targets(logits.shape[1], 0.75)")
sord = Source(L + "sord.py", ORDINAL, CATALOGUE)
sord.fault(
    "ignored option", "sord_targets(num_classes, self.scale, self.distance)", "sord_targets(num_classes, self.scale)"
)
center = Source(L + "center.py", FEATURES, CATALOGUE)
center.fault("ignored option", "return ce + self.lam * distance", "return ce + distance")
center.fault(
    "dropped call",
    "        if self.training:\n            with torch.no_grad():\n                self.centers",
    "        if True:\n            with torch.no_grad():\n                self.centers",
)
center.fault("sign", "return centers - alpha * (count", "return centers + alpha * (count")
center.fault("off-by-one", " / (1 + count)", " / count.clamp_min(1)")
center.fault("wrong reduction", ".square().sum(1) / 2\n", ".square().sum(1)\n")
pedcc = Source(L + "pedcc.py", FEATURES, CATALOGUE)
pedcc.fault("ignored option", "centroids[target]) ** power", "centroids[target])")
pedcc.fault("dropped call", "margin=scale * margin)", "margin=margin)")
pedcc.fault(
    "dropped call",
    "return self.scale * (F.normalize(to_full_precision(features), dim=1) @",
    "return self.scale * (to_full_precision(features) @",
)
pod = Source(L + "pod.py", FEATURES, CATALOGUE)
pod.fault("sign", "covariance.square().sum() - covariance.diagonal().square().sum()", "covariance.square().sum()")
pod.fault("off-by-one", "/ max(batch - 1, 1)", "/ batch")
pod.fault(
    "wrong reduction",
    "return (1 - (features * own).sum(1) / norm).square().mean()",
    "return (1 - (features * own).sum(1) / norm).mean()",
)
triplet = Source(L + "triplet.py", FEATURES, CATALOGUE)
triplet.fault("ignored option", "type_of_triplets=mining", 'type_of_triplets="all"')
triplet.fault("ignored option", "+ self.lam * triplets", "+ triplets")
triplet.fault("ignored option", "target, label_smoothing=self.label_smoothing)", "target)")
large = Source(L + "large_margin.py", FEATURES, CATALOGUE)
large.fault("ignored option", "feature_dim, margin=margin)", "feature_dim)")
large.fault("dropped call", "return F.normalize(super().classifier_weight, dim=1)", "return super().classifier_weight")
ensemble = Source(L + "ensemble_soft_margin.py", FEATURES, CATALOGUE)
ensemble.fault("wrong reduction", "for head in self.heads]).mean(0)", "for head in self.heads]).sum(0)")
ensemble.fault("ignored option", "+ self.lam * (torch", "+ (torch")
corn = Source(L + "corn.py", ORDINAL, FEATURES, CATALOGUE)
corn.fault("sign", "F.logsigmoid(-steps), (0, 1)", "F.logsigmoid(steps), (0, 1)")
corn.fault("wrong reduction", "F.logsigmoid(steps).cumsum(dim=1)", "F.logsigmoid(steps)")
coral = Source(L + "coral.py", ORDINAL, FEATURES, CATALOGUE)
coral.fault("off-by-one", "(target.unsqueeze(1) > torch", "(target.unsqueeze(1) >= torch")
coral.fault("sign", "F.logsigmoid(upper) + F.logsigmoid(-lower)", "F.logsigmoid(upper) + F.logsigmoid(lower)")
centroids = Source(L + "centroids.py", FEATURES, L + "centroids.py")
centroids.fault("ignored option", "torch.Generator().manual_seed(seed)", "torch.Generator().manual_seed(0)")
centroids.fault("off-by-one", "if feature_dim >= num_classes - 1:", "if feature_dim > num_classes:")

crl_sord = Source(L + "crl_sord.py", "tests/losses/test_ordinal_losses.py", "tests/losses/test_catalogue.py")
crl_sord.fault("ignored option", "(logits, self.alpha, self.beta)", "(logits, self.alpha, 1.0)")
crl_sord.fault("ignored option", "super().__init__(scale, distance, **options)", "super().__init__(scale, **options)")
crl_dldl = Source(L + "crl_dldl.py", "tests/losses/test_ordinal_losses.py", "tests/losses/test_catalogue.py")
crl_dldl.fault("ignored option", "dldl_targets(num_classes, self.sigma)", "dldl_targets(num_classes, 0.75)")
smoothing = Source(L + "cross_entropy.py", "tests/losses/test_cross_entropy.py", "tests/losses/test_catalogue.py")
smoothing.fault("ignored option", "label_smoothing=epsilon)", "label_smoothing=0.1)")
