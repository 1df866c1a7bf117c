"""The address book at the office: what is written there is sealed, checked, and goes when it should."""

from __future__ import annotations

import pytest

from madang.identity.models import Authority
from madang.identity.rights import Role
from madang.journal import civic
from madang.response.messaging import addresses
from madang.response.messaging.models import Recipient, Template
from tests.office.conftest import MakeWorker

pytestmark = pytest.mark.django_db(transaction=True)
FORM = {
    "name": "김당직",
    "duty": "재난안전과 당직",
    "tier": "department",
    "order": 1,
    "wants_ack": "on",
    "active": "on",
    "mode": "live",
    "first": "email",
    "sms": "010-9876-5432",
    "email": "duty@city.example",
}


def test_an_officer_writes_who_is_told_and_nobody_reads_the_number_again(
    authority: Authority, worker: MakeWorker
) -> None:
    officer = worker(Role.CITY_OFFICER)
    officer.post("messaging/recipient/add/", authority=authority.code, **FORM)
    row = Recipient.objects.get()
    assert row.channels == ["email", "sms"]
    assert addresses.unseal(row) == {"sms": "010-9876-5432", "email": "duty@city.example"}
    shown = officer.get(f"messaging/recipient/{row.pk}/change/").content.decode()
    assert "9876" not in shown
    assert "봉인" in shown
    officer.post(
        f"messaging/recipient/{row.pk}/change/", authority=authority.code, **FORM | {"sms": "", "first": "sms"}
    )
    row.refresh_from_db()
    assert row.channels == ["sms", "email"], "an address left empty stays as it was"
    with civic.reading() as tx:
        audited = str(tx.execute("SELECT * FROM journal_audit"))
    assert "9876" not in audited


def test_what_is_no_address_or_reaches_nobody_is_refused_at_its_field(authority: Authority, worker: MakeWorker) -> None:
    officer = worker(Role.CITY_OFFICER)
    wrong = officer.post("messaging/recipient/add/", authority=authority.code, **FORM | {"email": "not a mailbox"})
    assert "email 주소 형식이 아닙니다" in wrong.content.decode()
    nobody = officer.post("messaging/recipient/add/", authority=authority.code, **FORM | {"sms": "", "email": ""})
    assert "하나 이상" in nobody.content.decode()
    assert not Recipient.objects.exists()


def test_erasing_leaves_neither_name_nor_number(authority: Authority, worker: MakeWorker) -> None:
    officer = worker(Role.CITY_OFFICER)
    officer.post("messaging/recipient/add/", authority=authority.code, **FORM)
    row = Recipient.objects.get()
    officer.post("messaging/recipient/", action="erase", _selected_action=[row.pk])
    row.refresh_from_db()
    assert (row.name, bytes(row.addresses_sealed), row.active) == ("(삭제됨)", b"", False)


def test_words_to_begin_with_are_kept_by_class_and_an_operator_may_not_write_them(
    authority: Authority, worker: MakeWorker
) -> None:
    words = {
        "name": "침수 통제",
        "class_code": "flood",
        "level": "caution",
        "text_ko": "{place} 둔치 통제",
        "text_en": "",
    }
    worker(Role.CITY_OFFICER).post(
        "messaging/template/add/", authority=authority.code, for_tiers=["city", "department"], **words
    )
    assert set(Template.objects.get().tiers) == {"city", "department"}
    worker(Role.OPERATOR).post("messaging/template/add/", authority=authority.code, **words)
    assert Template.objects.count() == 1
