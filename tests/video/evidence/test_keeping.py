"""Stills, recordings and pasts: who may take them, what is stored, and that nothing stored is lost or altered."""

from __future__ import annotations

import resource
from datetime import timedelta
from pathlib import Path

import pytest

from madang.identity.models import Authority
from madang.identity.rights import Actor
from madang.journal import civic
from madang.journal.models import Announcement, AuditRow
from madang.kernel.clock import system_clock
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError, UnavailableError
from madang.video.commands import close_case, close_lease, revoke_grant
from madang.video.evidence import commands, queries, vault
from madang.video.evidence.models import Item
from madang.video.media.protocol import Halt, Keep
from madang.video.models import Camera, Case, Lease, VideoGrant
from tests.video.evidence.conftest import INCIDENT, Gateway, fire, set_evidence

pytestmark = pytest.mark.django_db(transaction=True)
JPEG = b"\xff\xd8 a picture \xff\xd9"


def take_still(actor: Actor, lease: Lease, reason: str = "") -> Item:
    with civic.transaction() as tx:
        return commands.take_still(tx, actor, lease.pk, reason, system_clock())


def record(actor: Actor, camera: Camera, reason: str = "용의자 도주 방향") -> Item:
    with civic.transaction() as tx:
        return commands.start_recording(tx, actor, INCIDENT, camera.pk, reason, system_clock())


def acts(item: Item) -> list[str]:
    rows = AuditRow.objects.filter(thing=f"evidence:{item.pk}").order_by("seq")
    return [row.action.removeprefix("evidence.") for row in rows]


def test_a_still_of_an_open_picture_is_sealed_told_and_seen_only_by_name(
    operator: Actor, lease: Lease, gateway: Gateway, vault_folder: Path
) -> None:
    item = take_still(operator, lease, "차량 번호")
    [take] = gateway.takes()
    assert (take.take, take.kind, take.camera) == (item.pk, "still", lease.camera_id)
    assert gateway.takes() == [], "a gateway is told once"
    assert gateway.piece(item.pk, 0, JPEG)
    assert gateway.end(item.pk, 1)
    [sealed] = list(vault_folder.rglob("*.sealed"))
    assert JPEG not in sealed.read_bytes() and b"a picture" not in sealed.read_bytes()
    for _ in range(2):
        with civic.transaction() as tx:
            assert queries.picture(tx, operator, item.pk, system_clock()).data == JPEG
    assert acts(item) == ["still_wanted", "kept", "seen"], "looks within an hour are one line"
    [told] = Announcement.objects.filter(topic="video.evidence.kept")
    assert told.key == INCIDENT and item.pk in told.body
    [row] = queries.of_incident(operator, INCIDENT, system_clock())["items"]
    assert (row["state"], row["taken_by"]["name"], row["reason"]) == ("KEPT", "kim", "차량 번호")


def test_a_still_needs_ones_own_open_view_under_a_grant_of_the_incident(
    operator: Actor, other_operator: Actor, lease: Lease
) -> None:
    with pytest.raises(NotFoundError):
        take_still(other_operator, lease)
    with civic.transaction() as tx:
        close_lease(tx, operator, lease.pk, system_clock())
    with pytest.raises(ConflictError):
        take_still(operator, lease)
    assert not Item.objects.exists()


def test_a_lease_that_was_never_shown_gives_no_still(operator: Actor, lease: Lease) -> None:
    lease.views.update(ended_at=system_clock())
    with pytest.raises(ConflictError):
        take_still(operator, lease)


def test_a_grant_revoked_between_the_wish_and_the_picture_gives_none(
    operator: Actor, supervisor: Actor, lease: Lease, grant: VideoGrant, gateway: Gateway
) -> None:
    item = take_still(operator, lease)
    with civic.transaction() as tx:
        revoke_grant(tx, supervisor, grant.pk, "오인 신고", system_clock())
    assert gateway.takes() == []
    item.refresh_from_db()
    assert (item.state, item.fault, item.key_sealed) == ("FAILED", "grant_ended", None)


def test_recording_takes_a_grant_that_says_so_and_a_reason(
    operator: Actor, camera: Camera, grant: VideoGrant, gateway: Gateway
) -> None:
    with pytest.raises(BadRequestError):
        record(operator, camera, "음")
    VideoGrant.objects.filter(pk=grant.pk).update(rights=["live"])
    with pytest.raises(ForbiddenError):
        record(operator, camera)
    VideoGrant.objects.filter(pk=grant.pk).update(rights=["live", "record"])
    item = record(operator, camera)
    with pytest.raises(ConflictError):
        record(operator, camera)
    assert [take.kind for take in gateway.takes()] == ["recording"]
    assert item.most_s == 1_800


def test_an_auditor_sees_and_takes_nothing_and_another_city_finds_nothing(
    authority: Authority,
    other_authority: Authority,
    make_person: object,
    operator: Actor,
    camera: Camera,
    lease: Lease,
) -> None:
    from madang.identity.actors import actor_of_person
    from madang.identity.rights import Role

    auditor = actor_of_person(make_person(Role.AUDITOR))  # type: ignore[operator]  # the fixture's maker
    stranger = actor_of_person(make_person(Role.SUPERVISOR, authority=other_authority))  # type: ignore[operator]
    item = take_still(operator, lease)
    with pytest.raises(ForbiddenError):
        record(auditor, camera)
    with pytest.raises(NotFoundError):
        record(stranger, camera)
    assert queries.of_incident(stranger, INCIDENT, system_clock())["items"] == []
    assert len(queries.of_incident(auditor, INCIDENT, system_clock())["items"]) == 1
    with pytest.raises(NotFoundError):
        queries.history(stranger, item.pk)


@pytest.mark.parametrize("ending", ["stop", "case", "grant"])
def test_a_recording_ends_by_hand_with_the_case_and_with_the_grant(
    operator: Actor, supervisor: Actor, camera: Camera, case: Case, grant: VideoGrant, gateway: Gateway, ending: str
) -> None:
    item = record(operator, camera)
    gateway.told()
    assert gateway.piece(item.pk, 0, b"init")
    with civic.transaction() as tx:
        if ending == "stop":
            commands.stop_recording(tx, operator, item.pk, system_clock())
        elif ending == "case":
            close_case(tx, operator, case.pk, "종결", system_clock())
        else:
            revoke_grant(tx, supervisor, grant.pk, "오인 신고", system_clock())
    assert [message for message in gateway.told() if isinstance(message, Halt)] == [Halt(item.pk)]
    assert gateway.end(item.pk, 1)
    item.refresh_from_db()
    assert (item.state, item.pieces) == ("KEPT", 1)


def test_pieces_in_any_order_and_number_make_the_same_film(operator: Actor, camera: Camera, gateway: Gateway) -> None:
    item = record(operator, camera)
    gateway.told()
    assert not gateway.piece(item.pk, 1, b"two"), "one before it is missing: it must come again"
    assert gateway.piece(item.pk, 0, b"one")
    assert gateway.piece(item.pk, 0, b"another one"), "repeated: taken for stored"
    assert not gateway.end(item.pk, 2), "the end waits for its pieces"
    assert gateway.piece(item.pk, 1, b"two")
    assert gateway.end(item.pk, 2) and gateway.end(item.pk, 2)
    assert gateway.piece(item.pk, 2, b"late"), "what is over stays as it is"
    item.refresh_from_db()
    assert b"".join(vault.read(item.pk, item.key_sealed, item.pieces, item.digest)) == b"onetwo"


def test_what_a_crash_left_behind_the_last_commit_is_cut_off(operator: Actor, camera: Camera, gateway: Gateway) -> None:
    item = record(operator, camera)
    gateway.told()
    gateway.piece(item.pk, 0, b"one")
    with vault.path_of(item.pk).open("ab") as file:
        file.write(b"torn")
    gateway.piece(item.pk, 1, b"two")
    item.refresh_from_db()
    assert b"".join(vault.read(item.pk, item.key_sealed, item.pieces, item.digest)) == b"onetwo"


def test_a_gateway_that_comes_back_without_a_recording_leaves_a_part(
    operator: Actor, camera: Camera, gateway: Gateway
) -> None:
    item = record(operator, camera)
    gateway.told()
    gateway.piece(item.pk, 0, b"one")
    again = Gateway()
    item.refresh_from_db()
    assert (item.state, item.fault) == ("PARTIAL", "gateway_restarted")
    assert again.takes() == []


def test_a_gateway_that_lost_the_line_only_goes_on(operator: Actor, camera: Camera, gateway: Gateway) -> None:
    item = record(operator, camera)
    gateway.told()
    gateway.piece(item.pk, 0, b"one")
    gateway.line.hello([item.pk], system_clock())
    assert gateway.takes() == []
    assert gateway.piece(item.pk, 1, b"two") and gateway.end(item.pk, 2)
    item.refresh_from_db()
    assert item.state == "KEPT"


def test_a_still_nobody_answers_for_has_failed_in_time(operator: Actor, lease: Lease) -> None:
    item = take_still(operator, lease)
    fire(system_clock() + timedelta(seconds=61))
    item.refresh_from_db()
    assert (item.state, item.fault) == ("FAILED", "not_answered")


def test_a_full_disk_keeps_what_was_stored_and_says_so(operator: Actor, camera: Camera, gateway: Gateway) -> None:
    item = record(operator, camera)
    gateway.told()
    gateway.piece(item.pk, 0, b"one")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = vault.path_of(item.pk).stat().st_size
    database = max(path.stat().st_size for path in _database_files())
    resource.setrlimit(resource.RLIMIT_FSIZE, (database + 4_000_000, hard))
    try:
        assert gateway.piece(item.pk, 1, b"x" * (database + 5_000_000)), "taken off the gateway's hands"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    item.refresh_from_db()
    assert (item.state, item.fault, item.pieces, item.sealed_bytes) == ("PARTIAL", "disk_full", 1, before)
    assert b"".join(vault.read(item.pk, item.key_sealed, item.pieces, item.digest)) == b"one"


def _database_files() -> list[Path]:
    from django.db import connections

    name = Path(str(connections["default"].settings_dict["NAME"]))
    return [path for path in name.parent.iterdir() if path.name.startswith(name.name)]


def test_nothing_is_begun_on_a_disk_without_room(operator: Actor, camera: Camera, settings: object) -> None:
    set_evidence(settings, free_mb=10**12)
    with pytest.raises(UnavailableError):
        record(operator, camera)


@pytest.mark.parametrize("change", ["flip", "cut", "swap"])
def test_a_sealed_file_that_was_touched_is_found_out(
    operator: Actor, camera: Camera, gateway: Gateway, change: str
) -> None:
    item = record(operator, camera)
    gateway.told()
    for number, data in enumerate((b"a" * 50, b"b" * 50)):
        gateway.piece(item.pk, number, data)
    gateway.end(item.pk, 2)
    item.refresh_from_db()
    path = vault.path_of(item.pk)
    whole = path.read_bytes()
    half = len(whole) // 2
    flipped = whole[:20] + bytes([whole[20] ^ 1]) + whole[21:]
    path.write_bytes({"flip": flipped, "cut": whole[:half], "swap": whole[half:] + whole[:half]}[change])
    with pytest.raises(vault.EvidenceDamagedError):
        list(vault.read(item.pk, item.key_sealed, item.pieces, item.digest))


def test_no_camera_keeps_its_past_until_a_policy_with_a_legal_note_says_so(
    authority: Authority, operator: Actor, officer: Actor, camera: Camera, gateway: Gateway
) -> None:
    assert gateway.told() == []

    def policy(seconds: int, note: str, *, camera_id: str | None = None, purpose: str = "생활방범") -> None:
        with civic.transaction() as tx:
            commands.put_policy(
                tx,
                officer,
                authority=authority.code,
                camera_id=camera_id,
                purpose="" if camera_id else purpose,
                seconds=seconds,
                legal_note=note,
                now=system_clock(),
            )

    def keep() -> dict[str, float]:
        gateway.line.looked_at = None
        told = [message for message in gateway.told() if isinstance(message, Keep)]
        return {name: kept.seconds for message in told for name, kept in message.cameras.items()}

    with pytest.raises(ForbiddenError), civic.transaction() as tx:
        commands.keep_past(tx, operator, INCIDENT, camera.pk, "폭행 직전 상황", system_clock())
    with pytest.raises(BadRequestError):
        policy(20, "")
    with pytest.raises(BadRequestError):
        policy(3_600, "영상정보처리기기 운영·관리 방침 제7조")
    policy(20, "영상정보처리기기 운영·관리 방침 제7조")
    assert set(keep().values()) == {20.0} and camera.pk in gateway.line.kept
    policy(0, "", camera_id=camera.pk)
    assert camera.pk not in keep(), "a camera's own rule goes before its purpose's"
    policy(10, "시장 결재 2026-11", camera_id=camera.pk)
    with civic.transaction() as tx:
        item = commands.keep_past(tx, operator, INCIDENT, camera.pk, "폭행 직전 상황", system_clock())
    [take] = gateway.takes()
    assert (take.take, take.kind, take.seconds) == (item.pk, "past", 10.0)
