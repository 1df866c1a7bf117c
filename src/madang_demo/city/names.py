"""What things in the simulated city are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True, slots=True)
class DistrictSeed:
    """A district by name, with the rough middle of the real one (0.01°) and how town-like it is."""

    name_ko: str
    name_en: str
    lon: float
    lat: float
    reach_km: float
    urban: float


DISTRICTS: tuple[DistrictSeed, ...] = (
    DistrictSeed("진영읍", "Jinyeong-eup", 128.74, 35.30, 4.2, 0.6),
    DistrictSeed("주촌면", "Juchon-myeon", 128.82, 35.24, 3.2, 0.3),
    DistrictSeed("진례면", "Jillye-myeon", 128.76, 35.245, 4.0, 0.2),
    DistrictSeed("한림면", "Hallim-myeon", 128.81, 35.315, 4.2, 0.2),
    DistrictSeed("생림면", "Saengnim-myeon", 128.85, 35.34, 4.2, 0.15),
    DistrictSeed("상동면", "Sangdong-myeon", 128.92, 35.32, 4.6, 0.15),
    DistrictSeed("대동면", "Daedong-myeon", 128.965, 35.26, 4.0, 0.2),
    DistrictSeed("동상동", "Dongsang-dong", 128.89, 35.24, 1.0, 1.0),
    DistrictSeed("회현동", "Hoehyeon-dong", 128.878, 35.23, 0.9, 1.0),
    DistrictSeed("부원동", "Buwon-dong", 128.89, 35.225, 0.9, 1.0),
    DistrictSeed("내외동", "Naeoe-dong", 128.864, 35.235, 1.4, 1.0),
    DistrictSeed("북부동", "Bukbu-dong", 128.872, 35.262, 2.2, 0.7),
    DistrictSeed("칠산서부동", "Chilsanseobu-dong", 128.86, 35.20, 2.4, 0.4),
    DistrictSeed("활천동", "Hwalcheon-dong", 128.902, 35.232, 1.3, 0.9),
    DistrictSeed("삼안동", "Saman-dong", 128.912, 35.248, 1.8, 0.7),
    DistrictSeed("불암동", "Buram-dong", 128.925, 35.23, 1.2, 0.5),
    DistrictSeed("장유1동", "Jangyu 1-dong", 128.812, 35.20, 2.0, 0.7),
    DistrictSeed("장유2동", "Jangyu 2-dong", 128.775, 35.19, 2.2, 0.5),
    DistrictSeed("장유3동", "Jangyu 3-dong", 128.82, 35.17, 2.3, 0.6),
)
CODE_BASE = 9_990_000
"""District codes of the simulated city: no real code begins so."""

_STEMS = (
    "가온 누리 다솜 라온 마루 바람 새솔 아라 한빛 해솔 금빛 은하 도담 미르 보람 솔뫼 너울 여울 봄내 달빛 "
    "별빛 큰들 샛별 구름 이음 나래 하늘 푸른 새벽 노을 가람 고운 그루 꽃뜰 늘봄 다온 단비 도란 두레 들꽃 "
    "맑은 모아 물빛 버들 볕뉘 빛솔 산들 새빛 소담 솔빛 슬기 시내 아람 아리 예솔 온새 윤슬 으뜸 이든 잔디 "
    "찬솔 참빛 초롱 큰솔 토담 포근 풀잎 하람 한결 한울 해담 해오름 햇살 향기 흰돌 미리내 무지개 느티 다래 매화 "
    "목련 벚꽃 산수유 은행 진달래 철쭉 해바라기 갈대 둥지 나루 돌담"
)
_VILLAGES = "안골 윗담 큰말 새터 솔골 감나무골 돌샘 버들 양지 음지 한골 들말"

LANDMARKS: tuple[tuple[str, str], ...] = (
    ("시청", "City Hall"),
    ("버스터미널", "Bus Terminal"),
    ("중앙시장", "Central Market"),
    ("시립도서관", "City Library"),
    ("종합병원", "General Hospital"),
    ("소방서", "Fire Station"),
    ("경찰서", "Police Station"),
    ("체육관", "Gymnasium"),
)


class NameGiver:
    """Hands out road names, none of them twice."""

    def __init__(self, rng: Generator) -> None:
        stems = [str(stem) for stem in rng.permutation(_STEMS.split())]
        pairs = [a + b for a in stems[:40] for b in stems[40:70] if a != b]
        self._left = stems + [str(pair) for pair in rng.permutation(pairs)]

    def stem(self) -> str:
        """The next name without its ending."""
        return self._left.pop(0)


def village(rng: Generator, district: str) -> str:
    """The 리 of an 읍 or 면; a 동 has none and stands for itself."""
    return f"{rng.choice(_VILLAGES.split())}리" if district.endswith(("읍", "면")) else district
