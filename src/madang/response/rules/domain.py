"""The life of a rule's version: from draft to published and back, as one explicit table. Pure.

draft → checked (form, names, loops) → replayed (on the last days, the difference shown) → shadow (records what it
would do, does nothing) → published by a second person (or sent back with a reason: a draft again) → retired when
another version takes over, or by hand; a retired version may come back (rolled back to). Whoever wrote or changed a
version never puts it in force. To edit a version that has run makes a new draft.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from madang.kernel.decisions import Accepted, Rejected


class Stage(StrEnum):
    """Where a version stands."""

    DRAFT = "draft"
    CHECKED = "checked"
    REPLAYED = "replayed"
    SHADOW = "shadow"
    PUBLISHED = "published"
    RETIRED = "retired"
    DROPPED = "dropped"


class Step(StrEnum):
    """What is done to a version."""

    EDIT = "edit"
    CHECK = "check"
    REPLAY = "replay"
    SHADOW = "shadow"
    PUBLISH = "publish"
    SEND_BACK = "send_back"
    RETIRE = "retire"
    ROLL_BACK = "roll_back"
    DROP = "drop"


TRANSITIONS: Mapping[Stage, Mapping[Step, Stage]] = MappingProxyType(
    {
        Stage.DRAFT: {Step.EDIT: Stage.DRAFT, Step.CHECK: Stage.CHECKED, Step.DROP: Stage.DROPPED},
        Stage.CHECKED: {
            Step.EDIT: Stage.DRAFT,
            Step.CHECK: Stage.CHECKED,
            Step.REPLAY: Stage.REPLAYED,
            Step.DROP: Stage.DROPPED,
        },
        Stage.REPLAYED: {
            Step.EDIT: Stage.DRAFT,
            Step.CHECK: Stage.CHECKED,
            Step.REPLAY: Stage.REPLAYED,
            Step.SHADOW: Stage.SHADOW,
            Step.DROP: Stage.DROPPED,
        },
        Stage.SHADOW: {
            Step.EDIT: Stage.DRAFT,
            Step.PUBLISH: Stage.PUBLISHED,
            Step.SEND_BACK: Stage.DRAFT,
            Step.DROP: Stage.DROPPED,
        },
        Stage.PUBLISHED: {Step.RETIRE: Stage.RETIRED},
        Stage.RETIRED: {Step.ROLL_BACK: Stage.PUBLISHED},
        Stage.DROPPED: {},
    }
)
RUNNING = frozenset({Stage.SHADOW, Stage.PUBLISHED})
"""Stages in which a version hears the feeds."""
FORCING = frozenset({Step.PUBLISH, Step.ROLL_BACK})
"""Steps that put a version in force: never by one of its writers."""
NEEDS_REASON = frozenset({Step.SEND_BACK, Step.RETIRE, Step.ROLL_BACK})


@dataclass(frozen=True, slots=True)
class Version:
    """What the rules of the life need to know of a version."""

    stage: Stage = Stage.DRAFT
    author: str = ""
    editors: frozenset[str] = frozenset()
    faults: int = 0
    """What the last check found wrong."""
    acts_outside: bool = False
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Do:
    """One step by one person. `faults` is what a check found, `accept_auto` the word that lets effects act outside
    without a person confirming each; `revision` refuses a decision made on an old picture."""

    step: Step
    by: str
    reason: str = ""
    faults: int = 0
    accept_auto: bool = False
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """It stands elsewhere now. `auto` is whether its effects may act outside by themselves."""

    before: Stage
    after: Stage
    step: Step
    by: str
    reason: str = ""
    auto: bool = False


Decision = Accepted[Moved] | Rejected


def decide(version: Version, do: Do) -> Decision:
    """Whether the step may be taken.

    Refusals: `stale_revision`, `wrong_stage`, `own_rule`, `reason_missing`, `faults`, `nothing_outside`.
    """
    if do.revision is not None and do.revision != version.revision:
        return Rejected("stale_revision", {"expected": do.revision, "revision": version.revision})
    after = TRANSITIONS[version.stage].get(do.step)
    if after is None:
        return Rejected("wrong_stage", {"stage": version.stage.value, "step": do.step.value})
    if do.step in FORCING and (do.by == version.author or do.by in version.editors):
        return Rejected("own_rule", {"by": do.by})
    if do.step in NEEDS_REASON and not do.reason.strip():
        return Rejected("reason_missing", {"step": do.step.value})
    if do.step is Step.CHECK and do.faults:
        return Rejected("faults", {"faults": do.faults})
    if do.accept_auto and not version.acts_outside:
        return Rejected("nothing_outside")
    return Accepted((Moved(version.stage, after, do.step, do.by, do.reason, do.accept_auto),))


def evolve(version: Version, moved: Moved) -> Version:
    """The version after it."""
    edited = moved.step is Step.EDIT
    return Version(
        stage=moved.after,
        author=version.author,
        editors=version.editors | {moved.by} if edited else version.editors,
        faults=0,
        acts_outside=version.acts_outside,
        revision=version.revision + 1,
    )
