"""What a name means in a file: `CE` -> torch.nn.CrossEntropyLoss, by the file's own imports and assignments."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from finegrained_crl.retrofit.reading.flow import dotted

CRITERIA = {"CrossEntropyLoss", "NLLLoss", "NLLLoss2d"}
FUNCTIONS = {"cross_entropy", "nll_loss", "linear_cross_entropy"}
TIMM = {"LabelSmoothingCrossEntropy", "SoftTargetCrossEntropy"}
OTHER_TIMM = {"JsdCrossEntropy", "PolyCrossEntropy"}
SOFTMAX_LOGS = {"log_softmax", "LogSoftmax"}
HOMES = ("torch", "timm")  # packages whose names count; `nn` and `F` are what everybody calls two of their modules
USUAL = {"nn": "torch.nn", "F": "torch.nn.functional"}


@dataclass
class Names:
    """The imports of one file."""

    modules: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)

    def meaning(self, node: ast.AST) -> str:
        """Dotted origin of an expression: "torch.nn.CrossEntropyLoss"; the written name where its origin is unknown."""
        written = dotted(node)
        first, dot, rest = written.partition(".")
        origin = self.modules.get(first) or (USUAL.get(first) if dot else None)
        if origin is None and self.stars and not dot:
            origin = next((f"{star}.{first}" for star in self.stars if star.startswith(HOMES)), None)
        return (origin or first) + dot + rest

    def loss(self, node: ast.AST) -> str:
        """The loss that an expression names ("CrossEntropyLoss", "cross_entropy" ..), "" for none."""
        meaning = self.meaning(node)
        last = meaning.rpartition(".")[2]
        if last not in CRITERIA | FUNCTIONS | TIMM | OTHER_TIMM:
            return ""
        home = meaning.startswith(HOMES)
        if last in TIMM | OTHER_TIMM:
            return last if meaning.startswith("timm") else ""
        return last if home or (self.stars and meaning == last and last in CRITERIA) else ""


def names_of(tree: ast.Module) -> Names:
    """Read a file's imports, those inside functions too."""
    names = Names()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names.modules[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                if alias.name == "*":
                    names.stars.append(base)
                else:
                    names.modules[alias.asname or alias.name] = f"{base}.{alias.name}"
    for node in tree.body:  # xent = F.cross_entropy
        if not (
            isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute | ast.Name) and names.loss(node.value)
        ):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name):
                names.modules[target.id] = names.meaning(node.value)
    return names
