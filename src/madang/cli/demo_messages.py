"""Who is told in the demo city, and words to begin with: simulated people, simulated numbers, simulated gateways."""

from __future__ import annotations

from typing import NamedTuple

GATEWAY_KEY = "gateways.key"


class Told(NamedTuple):
    """A recipient of the demo. `addresses` by channel, in the order they are tried."""

    key: str
    name: str
    duty: str
    tier: str
    addresses: dict[str, str]
    classes: tuple[str, ...] = ()
    wants_ack: bool = True


RECIPIENTS = (
    Told("safety", "재난안전과", "당직", "department", {"sms": "010-0000-1101", "phone": "055-000-1101"}),
    Told(
        "river", "하천과", "당직", "department", {"sms": "010-0000-1102", "phone": "055-000-1102"}, ("flood", "weather")
    ),
    Told("roads", "도로과", "당직", "department", {"sms": "010-0000-5030", "phone": "055-000-1103"}),
    Told("city", "시청 상황실", "근무자", "city", {"sms": "010-0000-1201", "phone": "055-000-1201"}),
    Told("mayor", "부시장실", "비서", "city", {"sms": "010-0000-0000", "phone": "055-000-1202"}),
    Told("province", "도청 재난상황실", "근무자", "province", {"sms": "010-0000-1301", "phone": "055-000-1301"}),
    Told("fire", "소방서 상황실", "근무자", "agency", {"sms": "010-0000-1401", "phone": "055-000-1401"}),
    Told("speakers", "내외동 마을방송", "", "field", {"broadcast": "내외동"}, wants_ack=False),
)
"""The mayor's office has a number that is refused, the road office one that is busy at first: both are to be seen."""

TEMPLATES = (
    ("", "notice", "상황 알림", "{place}에서 {class} 신고가 있어 확인 중입니다. ({number})", ("department",)),
    (
        "flood",
        "caution",
        "침수 주의",
        "{place} 침수 신고. 둔치와 지하차도 출입을 통제해 주십시오. ({number})",
        ("department", "city"),
    ),
    (
        "crowd",
        "caution",
        "인파 밀집",
        "{place} 인파 밀집. 진입을 통제하고 안전요원을 배치해 주십시오. ({number})",
        ("department", "city", "agency"),
    ),
    (
        "fire",
        "alert",
        "화재 발생",
        "{place} 화재. 주변을 통제하고 대피를 도와 주십시오. ({number})",
        ("department", "city", "agency", "field"),
    ),
)


def seed_messages(authority: str) -> None:
    """Fills the demo city's address book and its words; what is there already stays."""
    from madang.journal import civic
    from madang.kernel.mode import Mode
    from madang.response.messaging import addresses
    from madang.response.messaging.models import Recipient, Template

    with civic.transaction():
        for order, told in enumerate(RECIPIENTS):
            if Recipient.objects.filter(authority_id=authority, key=told.key).exists():
                continue
            row = Recipient(
                authority_id=authority,
                key=told.key,
                name=told.name,
                duty=told.duty,
                tier=told.tier,
                order=order,
                channels=[name for name in told.addresses if name != addresses.PHONE],
                classes=list(told.classes),
                wants_ack=told.wants_ack,
                mode=Mode.SIMULATED.value,
            )
            addresses.seal(row, told.addresses)
            row.save(force_insert=True)
        for class_code, level, name, text, tiers in TEMPLATES:
            Template.objects.get_or_create(
                authority_id=authority,
                name=name,
                defaults={"class_code": class_code, "level": level, "text_ko": text, "tiers": list(tiers)},
            )
