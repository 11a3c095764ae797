"""One criterion per role: the chosen loss where the method, or `--loss.where`, puts it; cross-entropy elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.losses.catalogue import build_criterion
from finegrained_crl.training.recipe import Component


@dataclass(frozen=True)
class Role:
    """One place in a method where a classification loss stands.

    Attributes:
        num_classes: logits that the loss gets there.
        feature_dim: width of the features beside them.
        by_default: whether `--loss` goes there unless `--loss.where` says otherwise; cross-entropy if not.
    """

    num_classes: int
    feature_dim: int
    by_default: bool = True


class Criteria(nn.Module):
    """The criterion of each role: `criteria["class"](logits, target)`."""

    def __init__(self, by_role: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for role, criterion in by_role.items():
            self.add_module(role, criterion)

    def __getitem__(self, role: str) -> nn.Module:
        return self.get_submodule(role)

    @property
    def by_role(self) -> dict[str, nn.Module]:
        """Role -> criterion, in the method's order."""
        return dict(self.named_children())

    @property
    def takes_soft_targets(self) -> bool:
        """Whether every criterion takes distributions over the classes as targets."""
        return all(getattr(criterion, "takes_soft_targets", False) for criterion in self.children())

    def end_epoch(self) -> None:
        """Tell those that have a schedule of their own (POD) that an epoch is over."""
        for criterion in self.children():
            step: Any = getattr(criterion, "end_epoch", None)
            if step:
                step()


def build_criteria(loss: Component, roles: Mapping[str, Role]) -> Criteria:
    """Build the criterion of every role.

    Args:
        loss: name and options; its option "where" names the roles that get it: some of `roles`, or "all".
        roles: what `Method.roles` returned.
    Returns:
        the loss in the chosen roles, cross-entropy in the others.
    Raises:
        FinegrainedError: no such role, or a loss with a classifier of its own in a method with several roles.
    """
    options = without_where(loss)
    chosen = chosen_roles(loss, roles)
    by_role = {}
    for role, shape in roles.items():
        name, own = (loss.name, options) if role in chosen else ("ce", {})
        by_role[role] = build_criterion(name, own, num_classes=shape.num_classes, feature_dim=shape.feature_dim)
        if len(roles) > 1 and getattr(by_role[role], "needs", "logits") == "classifier":
            raise FinegrainedError(
                f"--loss {name} brings a classifier of its own, and this method has classifiers in {len(roles)} roles "
                f"({', '.join(roles)}); choose a loss on logits, e.g. crl, or --method resnet"
            )
    return Criteria(by_role)


def without_where(loss: Component) -> dict[str, Any]:
    """The loss's own options."""
    return {key: value for key, value in loss.options.items() if key != "where"}


def chosen_roles(loss: Component, roles: Mapping[str, Role]) -> list[str]:
    """The roles that get the chosen loss, in the method's order.

    Raises:
        FinegrainedError: `--loss.where` names a role that the method does not have.
    """
    where = loss.options.get("where") or [role for role, shape in roles.items() if shape.by_default]
    for role in where:
        if role not in roles and role != "all":
            raise FinegrainedError(
                f"--loss.where {role}: this method has no such role; {nearest(role, [*roles, 'all'])}"
            )
    return [role for role in roles if role in where or "all" in where]
