"""One rule for what happens at a site: `scan` shows it, `run` does it, `patch` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from finegrained_crl.retrofit.reading.words import LEFT_ROLES
from finegrained_crl.retrofit.sites.place import Place, names_exactly, names_place

Action = Literal["replace", "leave", "refuse", "look"]
Phase = Literal["train", "eval", "both"]


@dataclass(frozen=True)
class Choice:
    """What the user chose: `--only`, `--skip`, and the default of a profile."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    roles: dict[str, str] = field(default_factory=dict)  # SITE -> role, from a profile
    phase: Phase = "train"

    def role_at(self, place: Place, guess: str) -> str:
        """The role that a profile gives to this place, or the guess."""
        return next((role for site, role in self.roles.items() if names_place(site, place)), guess)


@dataclass(frozen=True)
class Facts:
    """What is known about a call: where it is, from where it came, and what it is for."""

    place: Place
    role: str = "class"
    verdict: str = ""  # "train", "eval" or ""
    why: str = ""
    own_verdict: str = ""  # the call's own surroundings alone, callers not asked
    callers: Sequence[Place] = ()
    built: Sequence[Place] = ()
    library: str = ""
    problem: str = ""  # why it can't be replaced exactly
    guarded: bool = False  # a test in the source decides at each call


def decide(facts: Facts, choice: Choice) -> tuple[Action, str]:
    """Say what to do at a site, and why in a few words.

    Args:
        facts: of the site.
        choice: of the user.
    """
    skipped = _named_by(facts, choice.skip)
    if skipped:
        return "leave", f"--skip {skipped}"
    chosen = _named_by(facts, choice.only)
    if choice.only and not chosen:
        return "leave", "not named by --only"
    if facts.verdict == "eval" and not asked_for_evaluation(facts, choice):
        return "leave", f"evaluation: {facts.why}"
    if choice.phase == "eval" and facts.verdict == "train" and not facts.guarded:
        return "leave", f"training: {facts.why}; --phase eval"
    if not chosen and facts.role in LEFT_ROLES:
        return "leave", f"{facts.role}: {LEFT_ROLES[facts.role]}; name it with --only to replace it"
    if not chosen and facts.library:
        return "leave", f"called inside the library {facts.library}; name it with --only to replace it"
    if facts.problem:
        return "refuse", facts.problem
    if chosen:
        return "replace", f"--only {chosen}"
    return "replace", f"training: {facts.why}" if facts.verdict == "train" else "no sign of evaluation"


def _named_by(facts: Facts, words: Iterable[str]) -> str:
    places = (facts.place, *facts.callers, *facts.built)
    for word in words:
        if (
            word == facts.role
            or (word == "validation" and facts.verdict == "eval")
            or any(names_place(word, p) for p in places)
        ):
            return word
    return ""


def asked_for_evaluation(facts: Facts, choice: Choice) -> bool:
    """Evaluation was asked for: by --phase, by its role, or by exactly this place where it is one of evaluation."""
    return choice.phase != "train" or any(
        word == "validation" or (facts.own_verdict == "eval" and names_exactly(word, facts.place))
        for word in choice.only
    )
