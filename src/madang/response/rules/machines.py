"""The operators as small state machines over the facts of one group. Pure: what was and what came → what is.

A machine's memory is a JSON object, kept as a row. Times are the facts' own, in seconds since 1970. Facts may come out
of order by `late_s`: what lies within is put in its place, what lies further back is *late* and changes nothing.
What has been said is never taken back. A wait is kept as `due`, an instant of our own clock, so that devices whose
clocks go wrong cannot move it: it is what is left of the wait when the fact is received.

Clock steps. A fact from the future counts as seen when it was received. Three late facts in a row are taken for a
clock that was set back: the group begins anew with the third.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from madang.response.rules.conditions import margin_m
from madang.response.rules.facts import Fact
from madang.response.rules.vocabulary import (
    Absence,
    Count,
    Flap,
    Happens,
    Near,
    Quorum,
    Rate,
    Rule,
    Schedule,
    Sequence,
    Threshold,
    When,
    Whereabouts,
)

Memory = dict[str, Any]  # Any: JSON values
KEPT = 1_000
"""Facts one group remembers at most; of more, the oldest go."""
RUN_KEPT = 200
STEPPED = 3
"""So many late facts in a row mean that the device's clock was set back."""
OLD_S = 3_600.0
"""What was seen longer ago than this when it came is history: it annotates and raises nothing."""


@dataclass(slots=True)
class Said:
    """What came of a step: whether it fired or what had fired is over, at which time of the facts; late facts."""

    fired: list[float] = field(default_factory=list)
    cleared: float | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """One operator. `step(memory, role, fact, at, said)` changes the memory given; `wake` is for what fell due."""

    step: Callable[[Memory, int, Fact, float, Said], None]
    wake: Callable[[Memory, float, Said], None]
    usable: Callable[[int, Fact], bool]


def take(machine: Machine, rule: Rule, memory: Memory, role: int, fact: Fact) -> Said:
    """A fact for one group: what fell due before it is woken first, then it is put in its place."""
    if not machine.usable(role, fact):
        memory["bad"] = memory.get("bad", 0) + 1
        return Said()
    at = min(fact.at, fact.received)
    woken = wake(machine, rule, memory, fact.received)
    if fact.received - at > OLD_S or _too_late(memory, at, rule.late_s):
        return _late(memory, woken)
    memory["lates"] = 0
    memory["seen"] = max(at, memory.get("seen", at))
    said = Said()
    machine.step(memory, role, fact, at, said)
    _quiet(rule, memory, said, fact.received)
    if woken.fired:
        said.fired = woken.fired
    return said


def unsay(memory: Memory, spoke: float | None) -> None:
    """What fired did not meet the rule's conditions: as if it had not, so that it is asked again."""
    memory["spoke"] = spoke
    memory["on"] = False
    if "armed" in memory:
        memory["armed"] = None


def wake(machine: Machine, rule: Rule, memory: Memory, now: float) -> Said:
    """The group's wait is over at `now`; harmless where it is not, or there was none."""
    said = Said()
    due = memory.get("due")
    if due is None or due > now:
        return said
    memory["due"] = None
    machine.wake(memory, due, said)
    return _quiet(rule, memory, said, due)


def _too_late(memory: Memory, at: float, late_s: int) -> bool:
    seen = memory.get("seen")
    if seen is None or at >= seen - late_s:
        return False
    if memory.get("lates", 0) + 1 < STEPPED:
        return True
    kept: Memory = {name: memory[name] for name in ("spoke", "on", "late") if name in memory}
    memory.clear()
    memory.update(kept)
    return False


def _late(memory: Memory, said: Said) -> Said:
    memory["late"] = memory.get("late", 0) + 1
    memory["lates"] = memory.get("lates", 0) + 1
    said.late = True
    return said


def _quiet(rule: Rule, memory: Memory, said: Said, now: float) -> Said:
    """Keeps still for `quiet_s` after it spoke; what stands on is told when that is over."""
    if not said.fired:
        return said
    spoke = memory.get("spoke")
    if spoke is not None and 0 <= now - spoke < rule.quiet_s:
        said.fired.clear()
        if memory.get("on"):
            memory["on"] = False
            memory["due"] = spoke + rule.quiet_s
        return said
    del said.fired[1:]
    memory["spoke"] = now
    return said


# ------------------------------------------------------------------------------------------- what stands a while


def _stand(dwell_s: float, late_s: int, zone_of: Callable[[Fact], int]) -> Machine:
    """Fires when zone 1 has stood `dwell_s`; zone 0 neither begins nor ends it, zone -1 ends it."""

    def step(memory: Memory, _role: int, fact: Fact, at: float, said: Said) -> None:
        samples = memory.setdefault("run", [])
        samples.insert(bisect_right(samples, at, key=_time), [at, zone_of(fact)])
        base = memory.get("base")
        horizon = memory["seen"] - late_s
        while len(samples) > 1 and (samples[0][0] < horizon or len(samples) > RUN_KEPT):
            base = _fold(base, samples.pop(0))
        memory["base"] = since = base
        for sample in samples:
            since = _fold(since, sample)
        _judge(memory, since, fact.received, said)

    def _judge(memory: Memory, since: float | None, received: float, said: Said) -> None:
        memory["since"] = since
        if since is None:
            memory["due"] = None
            if memory.pop("on", False):
                said.cleared = memory["seen"]
        elif not memory.get("on"):
            left = dwell_s - (memory["seen"] - since)
            if left > 0:
                memory["due"] = received + left
            elif (memory.get("due") or 0) <= received:  # else it waits for the end of its silence
                _fire(memory, memory["seen"], said)

    def rung(memory: Memory, due: float, said: Said) -> None:
        if memory.get("since") is not None and not memory.get("on"):
            _fire(memory, max(memory["seen"], min(due, memory["since"] + dwell_s)), said)

    def _fire(memory: Memory, at: float, said: Said) -> None:
        memory["on"], memory["due"] = True, None
        said.fired.append(at)

    return Machine(step, rung, lambda _role, fact: zone_of(fact) != _UNKNOWN)


_UNKNOWN = -9


def _fold(since: float | None, sample: list[float]) -> float | None:
    at, zone = sample
    if zone == 1:
        return at if since is None else since
    return None if zone == -1 else since


def _threshold(when: Threshold, rule: Rule) -> Machine:
    sign = 1.0 if when.side == "above" else -1.0
    limit, reset = when.limit * sign, (when.limit if when.reset is None else when.reset) * sign

    def zone(fact: Fact) -> int:
        number = fact.number
        if number is None:
            return _UNKNOWN
        value = number * sign
        if value >= limit:
            return 1
        return -1 if value < reset or value == reset < limit else 0

    return _stand(when.dwell_s, rule.late_s, zone)


def _whereabouts(when: Whereabouts, rule: Rule) -> Machine:
    outside = when.side == "outside"

    def zone(fact: Fact) -> int:
        if fact.lon is None or fact.lat is None:
            return _UNKNOWN
        margin = margin_m(when.area, fact.lon, fact.lat)
        if abs(margin) <= fact.accuracy_m:
            return 0
        return 1 if (margin > 0) is outside else -1

    return _stand(when.for_s, rule.late_s, zone)


# ------------------------------------------------------------------------------------------------- in a window


def _never(_memory: Memory, _due: float, _said: Said) -> None:
    return


def _known(_role: int, _fact: Fact) -> bool:
    return True


def _numeric(_role: int, fact: Fact) -> bool:
    return fact.number is not None


def _comparable(_role: int, fact: Fact) -> bool:
    value = fact.value
    return isinstance(value, str | bool) or fact.number is not None


def _placed(memory: Memory, entry: list[Any], keep_s: float) -> tuple[list[list[Any]], int]:  # Any: JSON values
    """Puts an entry in its place in time, forgets what is too old; the entries and its place."""
    entries: list[list[Any]] = memory.setdefault("seen_at", [])  # Any: JSON values
    place = bisect_right(entries, entry[0], key=_time)
    entries.insert(place, entry)
    horizon = entries[-1][0] - keep_s
    gone = bisect_left(entries, horizon, key=_time)
    gone = max(0, gone - 1, len(entries) - KEPT)  # the one before the horizon says what was when it began
    del entries[:gone]
    return entries, max(0, place - gone)


def _time(entry: list[Any]) -> float:  # Any: JSON values
    return float(entry[0])


_Tag = Callable[[Fact], Any]  # Any: a JSON value
_Weigh = Callable[[list[list[Any]]], int]  # Any: the same


def _windowed(window_s: float, late_s: int, n: int, weigh: _Weigh, tag: _Tag) -> Machine:
    """Fires when the entries of some window that holds the new one weigh at least `n`."""

    def step(memory: Memory, _role: int, fact: Fact, at: float, said: Said) -> None:
        entries, place = _placed(memory, [at, tag(fact)], window_s + late_s)
        for last in range(place, len(entries)):
            end = entries[last][0]
            if end - window_s > at:
                break
            first = bisect_right(entries, end - window_s, key=_time)
            if last + 1 - first >= n and weigh(entries[first : last + 1]) >= n:
                said.fired.append(end)
                return

    return Machine(step, _never, _known)


def _distinct(entries: list[list[Any]]) -> int:  # Any: JSON values
    return len({tag for _, tag in entries})


def _count(when: Count, rule: Rule) -> Machine:
    return _windowed(when.window_s, rule.late_s, when.n, len, lambda _fact: 0)


def _quorum(when: Quorum, rule: Rule) -> Machine:
    machine = _windowed(when.window_s, rule.late_s, when.k, _distinct, lambda fact: fact.device)
    among = frozenset(when.devices)
    if not among:
        return machine

    def step(memory: Memory, role: int, fact: Fact, at: float, said: Said) -> None:
        if fact.device in among:
            machine.step(memory, role, fact, at, said)

    return Machine(step, _never, _known)


def _flap(when: Flap, rule: Rule) -> Machine:
    keep_s = when.window_s + rule.late_s

    def step(memory: Memory, _role: int, fact: Fact, at: float, said: Said) -> None:
        entries, place = _placed(memory, [at, fact.value], keep_s)
        if place == len(entries) - 1 > 0 and entries[place - 1][1] == fact.value:
            entries[place - 1 :] = [entries[place - 1]]  # what stays the same is no change: the time it began is kept
            return
        first = max(1, bisect_right(entries, entries[-1][0] - when.window_s, key=_time))
        changes = sum(entries[i][1] != entries[i - 1][1] for i in range(first, len(entries)))
        if changes >= when.changes:
            said.fired.append(entries[-1][0])

    return Machine(step, _never, _comparable)


def _rate(when: Rate, rule: Rule) -> Machine:
    keep_s = when.window_s + rule.late_s
    up, down = when.direction != "fall", when.direction != "rise"

    def step(memory: Memory, _role: int, fact: Fact, at: float, said: Said) -> None:
        entries, _ = _placed(memory, [at, fact.number], keep_s)
        end, value = entries[-1]
        within = [entry[1] for entry in entries[bisect_left(entries, end - when.window_s, key=_time) :]]
        if (up and value - min(within) >= when.by) or (down and max(within) - value >= when.by):
            said.fired.append(end)

    return Machine(step, _never, _numeric)


# --------------------------------------------------------------------------------------------- one after another


def _happens(_when: Happens | Near | Schedule, _rule: Rule) -> Machine:
    def step(_memory: Memory, _role: int, _fact: Fact, at: float, said: Said) -> None:
        said.fired.append(at)

    return Machine(step, _never, _known)


def _sequence(when: Sequence, rule: Rule) -> Machine:
    within = float(when.within_s)

    def step(memory: Memory, role: int, _fact: Fact, at: float, said: Said) -> None:
        firsts, thens = memory.setdefault("firsts", []), memory.setdefault("thens", [])
        insort(thens if role else firsts, at)
        _forget(firsts, memory["seen"] - within - rule.late_s)
        _forget(thens, memory["seen"] - rule.late_s)
        for then in thens:
            low, high = bisect_left(firsts, then - within), bisect_left(firsts, then)
            if high > low:
                del firsts[:high]
                thens.remove(then)
                said.fired.append(then)
                return

    return Machine(step, _never, _known)


def _forget(times: list[float], before: float) -> None:
    gone = max(bisect_left(times, before), len(times) - KEPT)
    if gone > 0:
        del times[:gone]


def _absence(when: Absence, rule: Rule) -> Machine:
    """The wait ends `late_s` later than `for_s`: only then is it known that nothing came in time."""
    alone = when.since is None
    for_s = float(when.for_s)

    def arm(memory: Memory, fact: Fact, at: float) -> None:
        memory["armed"] = at
        memory["due"] = fact.received + max(0.0, for_s - (memory["seen"] - at)) + rule.late_s

    def came(memory: Memory, at: float, said: Said) -> None:
        armed = memory.get("armed")
        if memory.pop("on", False):
            said.cleared = at
        elif armed is not None and at > armed + for_s:
            said.fired.append(armed + for_s)
        if armed is not None and armed <= at:
            memory["armed"] = memory["due"] = None
        insort(memory.setdefault("came", []), at)
        _forget(memory["came"], memory["seen"] - rule.late_s)

    def step(memory: Memory, role: int, fact: Fact, at: float, said: Said) -> None:
        if role == 0:
            came(memory, at, said)
            if alone and at >= memory["seen"]:
                arm(memory, fact, at)
        elif memory.get("armed") is None and not any(at <= one <= at + for_s for one in memory.get("came", [])):
            arm(memory, fact, at)

    def rung(memory: Memory, due: float, said: Said) -> None:
        armed = memory.get("armed")
        if armed is not None and not memory.get("on"):
            memory["on"] = True
            said.fired.append(min(due, armed + for_s))

    return Machine(step, rung, _known)


_BUILDERS: Mapping[type, Callable[[Any, Rule], Machine]] = {  # Any: each takes its own operator
    Happens: _happens,
    Near: _happens,
    Schedule: _happens,
    Threshold: _threshold,
    Whereabouts: _whereabouts,
    Count: _count,
    Quorum: _quorum,
    Flap: _flap,
    Rate: _rate,
    Sequence: _sequence,
    Absence: _absence,
}


def machine_of(rule: Rule) -> Machine:
    """The machine of a rule's operator."""
    when: When = rule.when
    return _BUILDERS[type(when)](when, rule)
