"""Addresses of an invented province in the layout of the national files, and the ways people write and mistype them.

Written before the search it judges, and not changed to suit it. `made` gives the addresses, `rnaddrkor_line` and
`entrc_line` their rows in the national files, `asked` what a caller or an operator would type and which address is
meant; `BY_HAND` are forms nobody generated.
"""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

PROVINCE = "경상남도"
TOWNS = (
    ("48250", "김해시"),
    ("48170", "진주시"),
    ("48330", "양산시"),
    ("48310", "거제시"),
    ("48220", "통영시"),
    ("48270", "밀양시"),
    ("48240", "사천시"),
    ("48121", "창원시 의창구"),
    ("48123", "창원시 성산구"),
    ("48125", "창원시 마산합포구"),
    ("48127", "창원시 마산회원구"),
    ("48129", "창원시 진해구"),
    ("48730", "함안군"),
    ("48740", "창녕군"),
    ("48820", "고성군"),
    ("48840", "남해군"),
    ("48850", "하동군"),
    ("48880", "거창군"),
)
SYLLABLES = (
    "가강개거건계고곡공관광구국군궁금기김나남내노녹농능다단달당대덕도독동두라락란량려련록룡류리림마만매면명모목무문미민"
    "바반방배백범법벽별병보봉부북분비사산삼상새서석선성세소송수숙순승시신심쌍아안암앙애야양어여연영예오옥온와왕용우운울원"
    "월유율은음응의이인일임입자작장재적전정제조종주죽중지진차창천철청초춘충치칠탄태토통팔평포풍하학한함해행향현호홍화환황회효흥희"
)
NAMED = (
    "아파트",
    "빌라",
    "초등학교",
    "중학교",
    "병원",
    "행정복지센터",
    "시장",
    "교회",
    "유치원",
    "마트",
    "타워",
    "맨션",
    "경로당",
    "도서관",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One address as the national files know it; x and y are UTM-K (EPSG:5179) metres."""

    town_code: str
    town: str
    emd_code: str
    emd: str
    ri: str
    road_code: str
    road: str
    basement: int
    main: int
    sub: int
    hill: bool
    lot_main: int
    lot_sub: int
    building: str
    zip_code: str
    x: float
    y: float

    @property
    def number(self) -> str:
        """`12` or `12-3`."""
        return f"{self.main}-{self.sub}" if self.sub else str(self.main)

    @property
    def lot(self) -> str:
        """`산12-3`, `12`."""
        return f"{'산' if self.hill else ''}{self.lot_main}{f'-{self.lot_sub}' if self.lot_sub else ''}"


def made(count: int, seed: int = 1) -> Iterator[Entry]:
    """About `count` addresses over all towns: roads with 번길, 동 and 읍·면 with 리, lots, names of buildings."""
    rng = random.Random(seed)
    share = max(1, count // len(TOWNS))
    for at, (code, town) in enumerate(TOWNS):
        middle = (1_080_000 + 26_000 * (at % 5), 1_650_000 + 26_000 * (at // 5))
        yield from _town(rng, code, town, share, middle)


def _word(rng: random.Random, least: int = 2, most: int = 3) -> str:
    return "".join(rng.choices(SYLLABLES, k=rng.randint(least, most)))


def _town(rng: random.Random, code: str, town: str, count: int, middle: tuple[int, int]) -> Iterator[Entry]:
    areas = _areas(rng, code, max(3, min(40, count // 900)))
    lots: Counter[str] = Counter()
    numbers: set[str] = set()
    given = 0
    while given < count:
        base = _word(rng) + ("대로" if rng.random() < 0.06 else "로" if rng.random() < 0.7 else "길")
        if base in numbers:
            continue
        numbers.add(base)
        names = [base]
        if base.endswith("로"):
            names += [f"{base}{n}번길" for n in sorted(rng.sample(range(3, 900), k=rng.randint(0, 14)))]
        around = (middle[0] + rng.uniform(-11_000, 11_000), middle[1] + rng.uniform(-11_000, 11_000))
        area = rng.choice(areas)
        for name in names:
            road_code = f"{code}{4_000_000 + len(numbers) * 20 + names.index(name):07d}"[:12]
            for entry in _road(rng, code, town, area, name, road_code, around, lots):
                yield entry
                given += 1
                if given >= count:
                    return


def _areas(rng: random.Random, code: str, count: int) -> list[tuple[str, str, tuple[str, ...]]]:
    found: dict[str, tuple[str, str, tuple[str, ...]]] = {}
    while len(found) < count:
        rural = rng.random() < 0.3
        name = _word(rng, 2, 2) + (rng.choice("읍면") if rural else "동")
        villages = tuple(dict.fromkeys(_word(rng, 2, 2) + "리" for _ in range(6))) if rural else ()
        found[name] = (f"{code}{101 + len(found):03d}", name, villages)
    return list(found.values())


def _road(
    rng: random.Random,
    code: str,
    town: str,
    area: tuple[str, str, tuple[str, ...]],
    road: str,
    road_code: str,
    around: tuple[float, float],
    lots: Counter[str],
) -> Iterator[Entry]:
    emd_code, emd, villages = area
    east, north = rng.uniform(-9, 9), rng.uniform(-9, 9)
    start = (around[0] + rng.uniform(-800, 800), around[1] + rng.uniform(-800, 800))
    for main in range(1 + rng.randint(0, 3), 8 + rng.randint(4, 90), rng.randint(1, 3)):
        for sub in (0, *range(1, rng.choice((0, 0, 0, 2, 4)))):
            ri = rng.choice(villages) if villages else ""
            lots[ri or emd] += 1
            lot_main, lot_sub = divmod(lots[ri or emd], 7)
            building = _word(rng) + rng.choice(NAMED) if rng.random() < 0.12 else ""
            yield Entry(
                code,
                town,
                emd_code,
                emd,
                ri,
                road_code,
                road,
                1 if rng.random() < 0.004 else 0,
                main,
                sub,
                rng.random() < 0.02,
                lot_main + 1,
                lot_sub,
                building,
                f"5{int(emd_code[-3:]) + 100:03d}{main % 10}",
                round(start[0] + main * east + sub * 17, 6),
                round(start[1] + main * north + sub * 11, 6),
            )


def rnaddrkor_line(entry: Entry) -> str:
    """The row of 도로명주소 한글 (`rnaddrkor_*.txt`): 24 columns."""
    key = f"{entry.emd_code}{entry.road_code[5:]}{entry.basement}{entry.main:05d}{entry.sub:05d}"
    columns = (
        key,
        f"{entry.emd_code}{21 if entry.ri else 0:02d}",
        PROVINCE,
        entry.town,
        entry.emd,
        entry.ri,
        str(int(entry.hill)),
        str(entry.lot_main),
        str(entry.lot_sub),
        entry.road_code,
        entry.road,
        str(entry.basement),
        str(entry.main),
        str(entry.sub),
        f"{entry.emd_code}00",
        entry.emd,
        entry.zip_code,
        "",
        "20240101",
        "1" if entry.building.endswith("아파트") else "0",
        "",
        entry.building,
        entry.building,
        "",
    )
    return "|".join(columns)


def entrc_line(entry: Entry) -> str:
    """The row of 위치정보요약DB (`entrc_*.txt`): 18 columns."""
    columns = (
        entry.town_code,
        str(entry.main * 100 + entry.sub),
        f"{entry.emd_code}00",
        PROVINCE,
        entry.town,
        entry.emd,
        entry.road_code,
        entry.road,
        str(entry.basement),
        str(entry.main),
        str(entry.sub),
        entry.building,
        entry.zip_code,
        "단독주택",
        "0",
        entry.emd,
        f"{entry.x:.6f}",
        f"{entry.y:.6f}",
    )
    return "|".join(columns)


def apart(syllable: str) -> list[int]:
    """First, middle and last letter of a syllable as numbers; last 0 for none."""
    code = ord(syllable) - 0xAC00
    return [code // 588, code % 588 // 28, code % 28]


def together(letters: list[int]) -> str:
    """The syllable of three letter numbers."""
    return chr(0xAC00 + letters[0] * 588 + letters[1] * 28 + letters[2])


_FIRST = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_MIDDLE = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_LAST = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_KEYS = dict(
    zip(
        "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡㅃㅉㄸㄲㅆㅒㅖ",
        "qwertyuiopasdfghjklzxcvbnmQWERTOP",
        strict=True,
    )
)
_PAIRS = {
    "ㅘ": "ㅗㅏ",
    "ㅙ": "ㅗㅐ",
    "ㅚ": "ㅗㅣ",
    "ㅝ": "ㅜㅓ",
    "ㅞ": "ㅜㅔ",
    "ㅟ": "ㅜㅣ",
    "ㅢ": "ㅡㅣ",
    "ㄳ": "ㄱㅅ",
    "ㄵ": "ㄴㅈ",
    "ㄶ": "ㄴㅎ",
    "ㄺ": "ㄹㄱ",
    "ㄻ": "ㄹㅁ",
    "ㄼ": "ㄹㅂ",
    "ㄽ": "ㄹㅅ",
    "ㄾ": "ㄹㅌ",
    "ㄿ": "ㄹㅍ",
    "ㅀ": "ㄹㅎ",
    "ㅄ": "ㅂㅅ",
}
_VOWELS_HEARD = ("ㅐㅔ", "ㅗㅜ", "ㅓㅗ", "ㅡㅜ", "ㅖㅔ", "ㅢㅣ", "ㅚㅙ", "ㅑㅏ", "ㅕㅓ", "ㅛㅗ", "ㅠㅜ")
_FIRSTS_HEARD = ("ㄱㅋ", "ㄱㄲ", "ㄷㅌ", "ㄷㄸ", "ㅂㅍ", "ㅂㅃ", "ㅈㅊ", "ㅈㅉ", "ㅅㅆ", "ㄹㄴ", "ㅎㅇ")
_LASTS_HEARD = ("ㄴㅇ", "ㅁㅇ", "ㅁㄴ", "ㄱㅂ", "ㄹㄴ")


def stem(road: str) -> str:
    """A road's name without what kind of road it is and its 번길: the part people get wrong."""
    for kind in ("대로", "로", "길"):
        base, found, _ = road.partition(kind) if kind != "길" else (road.removesuffix("길"), "길", "")
        if found and len(base) >= 2 and not base[-1].isdigit():
            return base
    return road[:2]


def _swap(
    rng: random.Random, word: str, which: int, table: str | tuple[str, ...], heard: tuple[str, ...]
) -> str | None:
    """`word` with one letter replaced by one that sounds alike."""
    places = list(range(len(word)))
    rng.shuffle(places)
    for place in places:
        if not "가" <= word[place] <= "힣":
            continue
        letters = apart(word[place])
        letter = table[letters[which]]
        others = [pair.replace(letter, "", 1) for pair in heard if letter and letter in pair]
        if others:
            letters[which] = table.index(rng.choice(others))
            return word[:place] + together(letters) + word[place + 1 :]
    return None


def _vowel(rng: random.Random, word: str) -> str | None:
    return _swap(rng, word, 1, _MIDDLE, _VOWELS_HEARD)


def _consonant(rng: random.Random, word: str) -> str | None:
    return _swap(rng, word, 0, _FIRST, _FIRSTS_HEARD)


def _ending(rng: random.Random, word: str) -> str | None:
    return _swap(rng, word, 2, _LAST, _LASTS_HEARD)


def _dropped_ending(rng: random.Random, word: str) -> str | None:
    places = [at for at, letter in enumerate(word) if "가" <= letter <= "힣" and apart(letter)[2]]
    if not places:
        return None
    place = rng.choice(places)
    first, middle, _ = apart(word[place])
    return word[:place] + together([first, middle, 0]) + word[place + 1 :]


def _transposed(rng: random.Random, word: str) -> str | None:
    if len(word) < 3:
        return None
    at = rng.randrange(len(word) - 1)
    return None if word[at] == word[at + 1] else word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _dropped_syllable(rng: random.Random, word: str) -> str | None:
    if len(word) < 3:
        return None
    at = rng.randrange(len(word))
    return word[:at] + word[at + 1 :]


def _doubled_syllable(rng: random.Random, word: str) -> str | None:
    at = rng.randrange(len(word))
    return word[: at + 1] + word[at:]


def on_english_keys(text: str) -> str:
    """What comes out when a Korean is typed with the keyboard left in English."""
    keys = []
    for letter in text:
        if not "가" <= letter <= "힣":
            keys.append(letter)
            continue
        first, middle, last = apart(letter)
        for one in (_FIRST[first], _MIDDLE[middle], _LAST[last]):
            keys += [_KEYS[part] for part in _PAIRS.get(one, one)]
    return "".join(keys)


def initials(text: str) -> str:
    """초성: the first letters alone."""
    return "".join(_FIRST[apart(letter)[0]] if "가" <= letter <= "힣" else letter for letter in text)


def _plain(entry: Entry) -> str:
    return f"{'지하 ' if entry.basement else ''}{entry.number}"


def _short_town(entry: Entry) -> str:
    return " ".join(word[:-1] if len(word) > 2 and word[-1] in "시군" else word for word in entry.town.split())


def _with_road(change: Callable[[random.Random, str], str | None]) -> Callable[[random.Random, Entry], str | None]:
    def form(rng: random.Random, entry: Entry) -> str | None:
        base = stem(entry.road)
        changed = change(rng, base)
        return changed and f"{entry.town} {entry.road.replace(base, changed, 1)} {_plain(entry)}"

    return form


def _beongil(text: str) -> Callable[[random.Random, Entry], str | None]:
    def form(rng: random.Random, entry: Entry) -> str | None:
        if not entry.road.endswith("번길"):
            return None
        base = entry.road[: entry.road.index("로") + 1]
        for at in range(len(entry.road) - 1):
            if entry.road[at] == "로" and entry.road[at + 1].isdigit():
                base = entry.road[: at + 1]
        number = entry.road[len(base) : -2]
        return f"{entry.town} " + text.format(base=base, bare=base[:-1], n=number, number=_plain(entry))

    return form


def _lot(text: str) -> Callable[[random.Random, Entry], str | None]:
    def form(rng: random.Random, entry: Entry) -> str | None:
        area = f"{entry.emd} {entry.ri}".strip()
        return text.format(
            town=entry.town,
            short=_short_town(entry),
            area=area,
            last=entry.ri or entry.emd,
            lot=entry.lot,
            main=entry.lot_main,
            hill="산 " if entry.hill else "",
            dash=f"-{entry.lot_sub}" if entry.lot_sub else "",
        )

    return form


def _lot_typo(rng: random.Random, entry: Entry) -> str | None:
    name = (entry.ri or entry.emd)[:-1]
    changed = _vowel(rng, name)
    above = f"{entry.emd} " if entry.ri else ""
    return changed and f"{entry.town} {above}{changed}{(entry.ri or entry.emd)[-1]} {entry.lot}"


def _named(text: str) -> Callable[[random.Random, Entry], str | None]:
    def form(rng: random.Random, entry: Entry) -> str | None:
        if not entry.building:
            return None
        return text.format(town=entry.town, emd=entry.emd, name=entry.building)

    return form


def _named_short(rng: random.Random, entry: Entry) -> str | None:
    for long, short in (
        ("아파트", "APT"),
        ("초등학교", "초교"),
        ("행정복지센터", "주민센터"),
        ("중학교", "중"),
        ("아파트", "아파드"),
    ):
        if entry.building.endswith(long):
            return f"{entry.town} {entry.building.removesuffix(long)}{short}"
    return None


def _named_typo(rng: random.Random, entry: Entry) -> str | None:
    changed = _vowel(rng, entry.building[:3]) if len(entry.building) > 4 else None
    return changed and f"{entry.town} {changed}{entry.building[3:]}"


def _both(rng: random.Random, entry: Entry) -> str | None:
    base = stem(entry.road)
    changed = _vowel(rng, base)
    return changed and f"경남 {_short_town(entry)} {entry.road.replace(base, changed, 1)}{entry.number}"


FORMS: dict[str, Callable[[random.Random, Entry], str | None]] = {
    "whole": lambda _, e: f"{PROVINCE} {e.town} {e.road} {_plain(e)}",
    "whole with the dong": lambda _, e: (
        f"{PROVINCE} {e.town} {e.emd + ' ' if e.ri else ''}{e.road} {_plain(e)}"
        f" ({e.emd}{', ' if e.building else ''}{e.building})"
    ),
    "province shortened": lambda _, e: f"경남 {e.town} {e.road} {_plain(e)}",
    "town shortened": lambda _, e: f"{_short_town(e)} {e.road} {_plain(e)}",
    "dong and road": lambda _, e: f"{e.town} {e.emd} {e.road} {_plain(e)}",
    "without spaces": lambda _, e: f"경남{e.town}{e.road}{_plain(e)}".replace(" ", ""),
    "spaces within": lambda _, e: (
        f"{e.town} {stem(e.road)} {e.road[len(stem(e.road)) :]} {_plain(e).replace('-', ' - ')}"
    ),
    "beongil apart": _beongil("{base} {n}번길 {number}"),
    "beongil far apart": _beongil("{base} {n} 번길 {number}"),
    "beongil as gil": _beongil("{base}{n}길 {number}"),
    "beongil without ro": _beongil("{bare} {n}번길 {number}"),
    "a vowel heard wrong": _with_road(_vowel),
    "a consonant heard wrong": _with_road(_consonant),
    "an ending heard wrong": _with_road(_ending),
    "an ending left out": _with_road(_dropped_ending),
    "syllables in wrong order": _with_road(_transposed),
    "a syllable left out": _with_road(_dropped_syllable),
    "a syllable twice": _with_road(_doubled_syllable),
    "shortened and heard wrong": _both,
    "keyboard in English": lambda _, e: on_english_keys(f"{e.town} {e.road} {e.number}"),
    "initials": lambda _, e: f"{e.town} {initials(e.road)} {e.number}",
    "letters apart (NFD)": lambda _, e: unicodedata.normalize("NFD", f"{e.town} {e.road} {_plain(e)}"),
    "full-width digits": lambda _, e: f"{e.town} {e.road} {e.number}".translate(
        {ord(str(n)): chr(0xFF10 + n) for n in range(10)}
    ),
    "spoken dash": lambda _, e: f"{e.town} {e.road} {e.main}다시 {e.sub}" if e.sub else None,
    "spoken of": lambda _, e: f"{e.town} {e.road} {e.main}의 {e.sub}번지" if e.sub else None,
    "in a sentence": lambda _, e: f"아 저기요 {e.town} {e.road} {_plain(e)} 앞인데요 빨리 좀 와주세요",
    "with flat": lambda rng, e: f"{e.town} {e.road} {_plain(e)} {rng.randint(101, 130)}동 {rng.randint(1, 20)}02호",
    "with floor": lambda rng, e: f"{e.town} {e.road} {_plain(e)}, {rng.randint(1, 20)}층",
    "with postcode": lambda _, e: f"({e.zip_code}) {PROVINCE} {e.town} {e.road} {_plain(e)}",
    "lot whole": _lot(PROVINCE + " {town} {area} {lot}"),
    "lot as beonji": _lot("{town} {area} {lot}번지"),
    "lot without spaces": _lot("{short}{area}{lot}"),
    "lot, hill apart": _lot("{town} {area} {hill}{main}{dash}"),
    "lot by its last name": _lot("{town} {last} {lot}"),
    "lot heard wrong": _lot_typo,
    "building": _named("{town} {name}"),
    "building and dong": _named("{town} {emd} {name}"),
    "building in a sentence": _named("{town} {emd} {name} 101동 앞이에요"),
    "building spaced": lambda rng, e: (e.building and f"{e.town} {e.building[:2]} {e.building[2:]}") or None,
    "building shortened": _named_short,
    "building heard wrong": _named_typo,
    "building by initials": lambda _, e: (e.building and f"{e.town} {e.emd} {initials(e.building)}") or None,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wrote, how it is written, and which address is meant."""

    text: str
    form: str
    entry: Entry


def asked(entries: Iterable[Entry], per_form: int, seed: int = 7) -> list[Asked]:
    """`per_form` questions of every form. Names borne twice in a town and lots borne twice are not asked for."""
    known = list(entries)
    names = Counter((entry.town, entry.building) for entry in known if entry.building)
    lots = Counter((entry.town, entry.emd, entry.ri, entry.lot) for entry in known)
    villages: dict[tuple[str, str], set[str]] = {}
    for entry in known:
        villages.setdefault((entry.town, entry.ri), set()).add(entry.emd)
    roads = Counter((entry.town, entry.road, entry.basement, entry.main, entry.sub) for entry in known)
    rng = random.Random(seed)
    found: list[Asked] = []
    for form, write in FORMS.items():
        got = 0
        for _ in range(per_form * 60):
            entry = rng.choice(known)
            one_of_many = (
                roads[entry.town, entry.road, entry.basement, entry.main, entry.sub] > 1
                or lots[entry.town, entry.emd, entry.ri, entry.lot] > 1
                or (form.startswith("building") and names[entry.town, entry.building] > 1)
                or (form == "lot by its last name" and len(villages[entry.town, entry.ri]) > 1 and bool(entry.ri))
            )
            text = None if one_of_many else write(rng, entry)
            if text:
                found.append(Asked(text, form, entry))
                got += 1
            if got == per_form:
                break
    return found


def _entry(
    road: str, main: int, sub: int, emd: str, lot: tuple[int, int], building: str, at: int, **more: object
) -> Entry:
    values: dict[str, object] = {
        "town_code": "48250",
        "town": "김해시",
        "emd_code": "48250900",
        "emd": emd,
        "ri": "",
        "road_code": f"48250{9_000_000 + at:07d}",
        "road": road,
        "basement": 0,
        "main": main,
        "sub": sub,
        "hill": False,
        "lot_main": lot[0],
        "lot_sub": lot[1],
        "building": building,
        "zip_code": "50900",
        "x": 1_100_000.0 + 150 * at,
        "y": 1_700_000.0 + 90 * at,
    }
    return Entry(**{**values, **more})  # type: ignore[arg-type] # one entry's fields by name


HAND_MADE: dict[str, Entry] = {
    "hall": _entry("가온대로", 2401, 0, "부원새동", (623, 0), "가온시청", 1),
    "alley": _entry("누리마루로24번길", 5, 1, "삼방새동", (41, 7), "", 2),
    "market": _entry("바람재로", 33, 0, "동상새동", (880, 2), "동상새전통시장", 3),
    "flats": _entry("해반천로", 118, 0, "외동새동", (1261, 3), "한빛마을9단지아파트", 4),
    "under": _entry("경전철로", 60, 0, "부원새동", (1, 1), "부원새역지하상가", 5, basement=1),
    "school": _entry("삼정학로", 77, 0, "삼정새동", (300, 0), "삼정새초등학교", 6),
    "village": _entry("봉하솔로", 129, 0, "진영새읍", (30, 0), "", 7, ri="본산새리"),
    "temple": _entry("신어산길", 12, 0, "삼방새동", (882, 0), "은하사새절", 8, hill=True),
    "number": _entry("3.15새대로", 9, 0, "내외새동", (55, 0), "", 9),
    "first": _entry("새솔1로", 31, 0, "율하새동", (1400, 1), "율하새도서관", 10),
    "ward": _entry("분성문로", 7, 4, "서상새동", (10, 11), "가온새병원", 11),
}

BY_HAND: tuple[tuple[str, str], ...] = (
    ("경남 김해시 가온대로 2401", "hall"),
    ("가온대로2401", "hall"),
    ("가온 대로 2401번", "hall"),
    ("김해 가온데로 2401", "hall"),
    ("가온시청", "hall"),
    ("가온 시청 앞 광장", "hall"),
    ("가온시청 정문 쪽이요", "hall"),
    ("ㄱㅇㅅㅊ", "hall"),
    ("rkdhseofh 2401", "hall"),
    ("부원새동 623", "hall"),
    ("부원새동 623번지 시청", "hall"),
    ("누리마루로 24번길 5-1", "alley"),
    ("누리마루로24번길5-1", "alley"),
    ("누리마루 24번길 5의1", "alley"),
    ("누리마로 24번길 5-1", "alley"),
    ("누리마루로 이십사번길 5-1", "alley"),
    ("김해시 삼방새동 41-7", "alley"),
    ("삼방새동 41다시 7번지", "alley"),
    ("삼방새 41-7", "alley"),
    ("동상새전통시장", "market"),
    ("동상새 시장", "market"),
    ("동상새 전통 시장 입구", "market"),
    ("바람제로 33", "market"),
    ("바람재로 33 시장통", "market"),
    ("한빛마을 9단지", "flats"),
    ("한빛마을9단지 아파트 903동", "flats"),
    ("한빛마을구단지", "flats"),
    ("해반천로118", "flats"),
    ("해밭천로 118", "flats"),
    ("해반천로 118, 903동 1204호", "flats"),
    ("경전철로 지하 60", "under"),
    ("경전철로 지하60", "under"),
    ("부원새역 지하상가", "under"),
    ("삼정새초등학교", "school"),
    ("삼정새초등학교 후문", "school"),
    ("삼정새초", "school"),
    ("삼정새초교 앞 횡단보도", "school"),
    ("삼정학로 칠십칠", "school"),
    ("진영새읍 본산새리 30", "village"),
    ("본산새리 30번지", "village"),
    ("진영새읍 봉하솔로 129", "village"),
    ("봉아솔로 129", "village"),
    ("신어산길 12", "temple"),
    ("삼방새동 산 882", "temple"),
    ("삼방새동 산882번지", "temple"),
    ("은하사새절", "temple"),
    ("3.15새대로 9", "number"),
    ("315새대로 9", "number"),
    ("새솔1로 31", "first"),
    ("새솔일로 31", "first"),
    ("율하새 도서관", "first"),
    ("분성문로 7-4", "ward"),
    ("분성문로 7에 4", "ward"),
    ("분선문로 7-4 가온새병원", "ward"),
    ("가온새병원 응급실", "ward"),
    ("가온새 병원", "ward"),
)
