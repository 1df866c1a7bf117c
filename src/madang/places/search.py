"""Finds in a gazetteer what a text may mean, however it is spaced, shortened, misspelt or mistyped.

A text is read in several ways (`asking`); each reading is looked up by likeness of letters and sound; what is found is
scored by how alike the name is, whether its number exists, and whether the areas agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from madang.places import asking
from madang.places.candidate import Candidate
from madang.places.gazetteer import Found, Gazetteer, Kind, Name, compared, first_letters, grams, initial_grams
from madang.places.hangul import alike, has_syllables, initials, letters

EXACT, SAME_MAIN, NEAR_NUMBER, STREET = 1.0, 0.9, 0.72, 0.6
PLACE = 0.92
DISTRICT = 0.4
OTHER_AREA, OTHER_TOWN, MANY_TOWNS = 0.8, 0.75, 0.9
OTHER_LOT, OTHER_LEVEL = 0.6, 0.93
"""산 12 and 12 are different lots; 지하 12 and 12 share their entrance more often than not."""
BY_INITIALS = 0.9
LEAST_ALIKE = 0.55
REACH = 40
SURE = 0.995
_ROAD_END = re.compile(r"(?:대로|로|길)$")
_AREA_END = re.compile(r"[읍면동리가]$")
_TOWN_WORD = re.compile(r"[가-힣]{2,5}[시군구]")
_JAMO_ONLY = re.compile(r"[ㄱ-ㅎ0-9.]*[ㄱ-ㅎ][ㄱ-ㅎ0-9.]*")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A reading of a question: what is left when towns are taken out, and which towns those were."""

    text: str
    towns: frozenset[int]
    trust: float = 1.0


@dataclass(slots=True)
class _Hunt:
    """One question under way."""

    gazetteer: Gazetteer
    found: list[Candidate] = field(default_factory=list)
    seen: set[tuple[object, ...]] = field(default_factory=set)

    @property
    def best(self) -> float:
        return max((one.score for one in self.found), default=0.0)

    def first_time(self, *key: object) -> bool:
        if key in self.seen:
            return False
        self.seen.add(key)
        return True


def search(gazetteer: Gazetteer, text: str) -> list[Candidate]:
    """Everything in a gazetteer that a text may mean, in no order; see `candidate.best`."""
    hunt = _Hunt(gazetteer)
    for reading in asking.readings(asking.plain(text)):
        for asked in _townless(gazetteer, reading):
            _by_number(hunt, asked)
            if hunt.best >= SURE:
                return hunt.found
            _by_name(hunt, asked)
            if not asked.text or not any(one.isdigit() for one in asked.text):
                _whole_streets(hunt, asked)
        if hunt.best >= 0.9:
            break
    return hunt.found


@lru_cache(maxsize=64)
def _town_patterns(towns: tuple[tuple[int, str], ...]) -> tuple[list[tuple[re.Pattern[str], int]], ...]:
    """Patterns of towns written in full (anywhere) and without 시·군 (at the beginning only)."""
    full: list[tuple[str, int]] = []
    short: list[tuple[str, int]] = []
    for at, name in towns:
        words = name.split()
        bare = [word[:-1] if len(word) > 2 and word[-1] in "시군" else word for word in words]
        full += [(r"\s*".join(words), at), *((word, at) for word in words if len(word) > 1)]
        short += [(r"\s*".join(bare), at), (bare[0], at)]
    by_length = sorted(set(full), key=lambda one: -len(one[0])), sorted(set(short), key=lambda one: -len(one[0]))
    return (
        [(re.compile(rf"(?:^|(?<=\s)|(?<=[가-힣])){pattern}"), at) for pattern, at in by_length[0]],
        [(re.compile(rf"^{pattern}"), at) for pattern, at in by_length[1]],
    )


def _townless(gazetteer: Gazetteer, text: str) -> list[_Asked]:
    """The text without its town, in every way that may be meant."""
    bare = asking.without_province(text)
    towns = tuple((at, name) for at, (_, name) in gazetteer.towns.items() if name)
    full, short = _town_patterns(towns)
    matches = [(match, at) for pattern, at in full if (match := pattern.search(bare))]
    if matches:
        longest = max(matches, key=lambda one: len(one[0][0]))[0]
        which = frozenset(at for match, at in matches if match[0] == longest[0])
        rest = bare[longest.end() :].strip() or bare[: longest.start()].strip()
        return [_Asked(rest, which), *([_Asked(bare, frozenset())] if longest.start() and " " not in bare else [])]
    found = [_Asked(bare, frozenset())]
    matches = [(match, at) for pattern, at in short if (match := pattern.search(bare))]
    if matches:
        longest = max(matches, key=lambda one: len(one[0][0]))[0]
        which = frozenset(at for match, at in matches if match[0] == longest[0])
        found.insert(0, _Asked(bare[longest.end() :].strip(), which))
    return [found[0], *found[1:]] if len(found) > 1 else [_unknown_town(gazetteer, found[0])]


def _unknown_town(gazetteer: Gazetteer, asked: _Asked) -> _Asked:
    """A first word that is a town: one that is spelled alike, or another's, which lowers trust."""
    first, _, rest = asked.text.partition(" ")
    if not rest or not _TOWN_WORD.fullmatch(first):
        return asked
    close = {at: likeness(first, name.split()[0]) for at, (_, name) in gazetteer.towns.items() if name}
    which = frozenset(at for at, like in close.items() if like >= 0.72 and like == max(close.values()))
    if which:
        return _Asked(rest, which, 0.97)
    return _Asked(rest, frozenset(), OTHER_TOWN if close else 1.0)


def likeness(a: str, b: str) -> float:
    """How alike two names are, 0 to 1: by letters, by how they sound, and by syllables in another order."""
    return _likeness(letters(a), letters(b), a, b)


def _likeness(la: str, lb: str, a: str, b: str) -> float:
    from rapidfuzz.distance import OSA, Levenshtein

    if la == lb:
        return 1.0
    raw = Levenshtein.normalized_similarity(la, lb)
    if raw < 0.3:
        return 0.0
    (fine_a, coarse_a), (fine_b, coarse_b) = alike(la), alike(lb)
    fine = Levenshtein.normalized_similarity(fine_a, fine_b)
    coarse = Levenshtein.normalized_similarity(coarse_a, coarse_b)
    return max(0.5 * raw + 0.3 * fine + 0.2 * coarse, 0.98 * OSA.normalized_similarity(a, b))


def _closest(hunt: _Hunt, kind: Kind, text: str, towns: frozenset[int], most: int) -> list[tuple[Name, float]]:
    """The names most like a text, with how alike they are."""
    gazetteer = hunt.gazetteer
    if _JAMO_ONLY.fullmatch(text):
        names = gazetteer.like(kind, initial_grams(text), towns)
        scored = [(name, BY_INITIALS if initials(name.text) == text else 0.0) for name in names]
    else:
        names = gazetteer.like(kind, grams(text, Kind.AREA), towns)
        spelled = letters(text)
        scored = [(name, _likeness(spelled, letters(name.text), text, name.text)) for name in names]
    scored = [one for one in scored if one[1] >= LEAST_ALIKE]
    scored.sort(key=lambda one: -one[1])
    return scored[:most]


def _by_number(hunt: _Hunt, asked: _Asked) -> None:
    for number in asking.numbered(asked.text):
        for text, before in asking.endings(number.words):
            if hunt.best >= SURE:
                return
            said = (*before, *number.after)
            if not _AREA_END.search(text):
                _on_roads(hunt, asked, text, number, said)
            if not _ROAD_END.search(text) and hunt.best < 0.9:
                _on_lots(hunt, asked, text, number, said)


def _on_roads(hunt: _Hunt, asked: _Asked, text: str, number: asking.Numbered, said: tuple[str, ...]) -> None:
    for road in asking.roads(text):
        _on_road(hunt, asked, road, number, said, 1.0)
    areas = hunt.gazetteer.beginning(text, Kind.AREA)
    for length in sorted({len(area.text) for area in areas if area.text[-1] in "읍면동리가"}, reverse=True):
        if len(text) - length >= 2 and hunt.best < SURE:
            for road in asking.roads(text[length:]):
                _on_road(hunt, asked, road, number, (*said, text[:length]), 1.0)


def _on_road(
    hunt: _Hunt, asked: _Asked, road: asking.Road, number: asking.Numbered, said: tuple[str, ...], trust: float
) -> None:
    base, whole = road.base, bool(_ROAD_END.search(road.base)) or bool(_JAMO_ONLY.fullmatch(road.base))
    if not hunt.first_time("road", base, road.branches, number.main, number.sub, asked.towns):
        return
    for spelled in (base,) if whole else (base + "로", base + "대로", base + "길"):
        for name, like in _closest(hunt, Kind.STREET, spelled, asked.towns, 10):
            for branch in road.branches:
                for street, _ in hunt.gazetteer.streets(name.id, branch):
                    score = like**2 * asked.trust * trust * (1.0 if whole else 0.97)
                    score *= 1.0 if branch == road.branches[0] else 0.96
                    _numbers(hunt, asked, street, number, said, score)


def _numbers(
    hunt: _Hunt, asked: _Asked, street: int, number: asking.Numbered, said: tuple[str, ...], score: float
) -> None:
    basement = int(number.basement)
    near = hunt.gazetteer.on_street(street, number.main, number.sub, basement, REACH, 6)
    if not near and score > 0.5:
        middle = hunt.gazetteer.middle_of_street(street)
        if middle is not None and (row := hunt.gazetteer.road(street)):
            hunt.found.append(Candidate(row, *middle, 0.5 * score, "street"))
    many = _many_towns(hunt, asked, street) if score > 0.9 else 1.0
    for one in near:
        right = _right(number.main, number.sub, one.main, one.sub)
        level = 1.0 if one.basement == basement else OTHER_LEVEL
        total = score * right * level * many * _areas_agree(hunt, one, said)
        hunt.found.append(Candidate(_label(hunt, one, right), one.lon, one.lat, total, "address"))


def _many_towns(hunt: _Hunt, asked: _Asked, street: int) -> float:
    """A road of one name in several towns, and no town was said."""
    road = hunt.gazetteer.road(street)
    same = {name.town for name in hunt.gazetteer.called(Kind.STREET, hunt.gazetteer.base_of(street))}
    return MANY_TOWNS if road and len(same) > 1 and len(asked.towns) != 1 else 1.0


def _right(asked_main: int, asked_sub: int, main: int, sub: int) -> float:
    if main == asked_main:
        return EXACT if sub == asked_sub else max(0.7, SAME_MAIN - 0.01 * abs(sub - asked_sub))
    return max(0.3, NEAR_NUMBER - abs(main - asked_main) / 100)


def _label(hunt: _Hunt, one: Found, right: float) -> str:
    _, town = hunt.gazetteer.towns.get(one.town, ("", ""))
    emd, _ = hunt.gazetteer.area(one.area)
    number = f"{one.main}-{one.sub}" if one.sub else f"{one.main}"
    notes = ", ".join(part for part in (emd, one.building) if part)
    near = "" if right >= SAME_MAIN else " 부근"
    basement = "지하 " if one.basement == 1 else ""
    return f"{town} {one.street} {basement}{number}{f' ({notes})' if notes else ''}{near}".strip()


def _areas_agree(hunt: _Hunt, one: Found, said: tuple[str, ...]) -> float:
    """Lower when the text names another 읍·면·동 that the gazetteer knows."""
    named = [word for word in said if len(word) > 1 and _AREA_END.search(word)]
    if not named:
        return 1.0
    emd, ri = hunt.gazetteer.area(one.area)
    if any(word in (emd, ri, emd + ri) for word in named):
        return 1.0
    known = any(hunt.gazetteer.called(Kind.AREA, word) for word in named)
    return OTHER_AREA if known and emd else 1.0


def _on_lots(hunt: _Hunt, asked: _Asked, text: str, number: asking.Numbered, said: tuple[str, ...]) -> None:
    if not hunt.first_time("lot", text, number.main, number.sub, number.hill, asked.towns):
        return
    for name, like in _closest(hunt, Kind.AREA, text, asked.towns, 8):
        cut = 1.0 if _AREA_END.search(text) or like < 1 else 0.97
        for one in hunt.gazetteer.in_area(name.ref, number.main, number.sub, number.hill, REACH, 6):
            right = _right(number.main, number.sub, one.lot_main, one.lot_sub)
            same_hill = 1.0 if one.hill == number.hill else OTHER_LOT
            many = MANY_TOWNS if len(asked.towns) != 1 and _in_many_towns(hunt, name) else 1.0
            total = like**2 * right * same_hill * cut * many * asked.trust * _areas_agree(hunt, one, said)
            hunt.found.append(Candidate(_lot_label(hunt, one, right), one.lon, one.lat, total, "address"))


def _in_many_towns(hunt: _Hunt, name: Name) -> bool:
    return len({other.town for other in hunt.gazetteer.called(name.kind, name.text)}) > 1


def _lot_label(hunt: _Hunt, one: Found, right: float) -> str:
    _, town = hunt.gazetteer.towns.get(one.town, ("", ""))
    emd, ri = hunt.gazetteer.area(one.area)
    lot = f"{'산 ' if one.hill else ''}{one.lot_main}{f'-{one.lot_sub}' if one.lot_sub else ''}"
    near = "" if right >= SAME_MAIN else " 부근"
    return " ".join(part for part in (town, emd, ri, lot) if part) + near


def _by_name(hunt: _Hunt, asked: _Asked) -> None:
    """Places whose name is in the text, or is spelled much like what is."""
    words = asked.text.split()
    said = tuple(word for word in words if _AREA_END.search(word))
    for name in asking.names(asked.text):
        for text, before in ((name, ()), *_after_area(hunt, name)):
            if hunt.best >= 0.88:
                return
            _place(hunt, asked, compared(text), (*said, *before))


def _after_area(hunt: _Hunt, text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    areas = [area.text for area in hunt.gazetteer.beginning(text, Kind.AREA) if area.text[-1] in "읍면동리"]
    for area in dict.fromkeys(areas):
        if len(text) - len(area) >= 2:
            yield text[len(area) :], (area,)


def _place(hunt: _Hunt, asked: _Asked, text: str, said: tuple[str, ...]) -> None:
    if len(text) < 2 or not hunt.first_time("place", text, said, asked.towns):
        return
    scored = sorted(_places_like(hunt, text, asked.towns), key=lambda one: -one[1])[:12]
    places = hunt.gazetteer.places(name.ref for name, _ in scored)
    for name, like in scored:
        label, lon, lat, area, address = places[name.ref]
        emd, ri = hunt.gazetteer.area(area) if area else ("", "")
        agrees = 1.0 if not said or not emd or any(word in (emd, ri, emd + ri) for word in said) else OTHER_AREA
        shown = f"{label} ({address})" if address else label
        hunt.found.append(Candidate(shown, lon, lat, PLACE * like**2 * agrees * asked.trust, "name"))


def _places_like(hunt: _Hunt, text: str, towns: frozenset[int]) -> Iterator[tuple[Name, float]]:
    if _JAMO_ONLY.fullmatch(text):
        names = hunt.gazetteer.like(Kind.PLACE, initial_grams(text), towns)
        labels = hunt.gazetteer.places(name.ref for name in names)
        for name in names:
            firsts = (initials(name.text), first_letters(labels[name.ref][0]))
            if text in firsts:
                yield name, BY_INITIALS
            elif len(text) >= 3 and any(one.startswith(text) for one in firsts):
                yield name, 0.8
        return
    if not has_syllables(text):
        return
    spelled = letters(text)
    for name in hunt.gazetteer.like(Kind.PLACE, grams(text, Kind.AREA), towns):
        like = _likeness(spelled, letters(name.text), text, name.text)
        if len(name.text) >= 3 and name.text in text:
            like = max(like, 0.98 if text.startswith(name.text) else 0.94)
        elif len(text) >= 3 and name.text.startswith(text):
            like = max(like, 0.94 - 0.02 * (len(name.text) - len(text)))
        if like >= 0.68:
            yield name, like


def _whole_streets(hunt: _Hunt, asked: _Asked) -> None:
    """A road or an area without a number: somewhere in its middle."""
    for text, _ in asking.endings(tuple(asked.text.split()), 2):
        if _ROAD_END.search(text):
            for road in asking.roads(text):
                for name, like in _closest(hunt, Kind.STREET, road.base, asked.towns, 3):
                    for street, shown in hunt.gazetteer.streets(name.id, road.branches[0]):
                        _middle(hunt, shown, hunt.gazetteer.middle_of_street(street), STREET * like**2, "street")
        elif _AREA_END.search(text):
            for name, like in _closest(hunt, Kind.AREA, text, asked.towns, 3):
                shown = " ".join(part for part in hunt.gazetteer.area(name.ref) if part)
                _middle(hunt, shown, hunt.gazetteer.middle_of_area(name.ref), DISTRICT * like**2, "district")


def _middle(hunt: _Hunt, label: str, at: tuple[float, float] | None, score: float, kind: str) -> None:
    if at is not None:
        hunt.found.append(Candidate(label, at[0], at[1], score, kind))
