"""Handing evidence over: two people, once, on a ground; and that anybody finds out when a bit was changed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from madang.identity.models import Authority
from madang.identity.rights import Actor
from madang.journal import civic
from madang.journal.models import Announcement, AuditRow
from madang.kernel.clock import system_clock
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from madang.site.keys import new_private_pem, public_pem
from madang.video.commands import close_case
from madang.video.evidence import commands, exports, packing, queries, retention, vault
from madang.video.evidence.checking import check_package
from madang.video.evidence.models import Export, Item
from madang.video.evidence.signing import public_pem as city_key
from madang.video.media.stiller import still_of
from madang.video.models import Case, Lease
from tests.video.evidence.conftest import INCIDENT, Gateway, fire
from tests.video.media_rig import film

pytestmark = pytest.mark.django_db(transaction=True)
VERIFIER = Path(__file__).parents[3] / "docs" / "verify_evidence.py"


@pytest.fixture
def still(operator: Actor, lease: Lease, gateway: Gateway) -> Item:
    """A real JPEG that was kept."""
    with civic.transaction() as tx:
        item = commands.take_still(tx, operator, lease.pk, "번호판", system_clock())
    gateway.told()
    gateway.piece(item.pk, 0, still_of(film().read_bytes()).jpeg)
    gateway.end(item.pk, 1)
    item.refresh_from_db()
    return item


@pytest.fixture
def recording(operator: Actor, lease: Lease, gateway: Gateway) -> Item:
    """A real film that was kept, in several pieces."""
    with civic.transaction() as tx:
        item = commands.start_recording(tx, operator, INCIDENT, lease.camera_id, "도주 방향", system_clock())
    gateway.told()
    data = film().read_bytes()
    pieces = [data[at : at + 200_000] for at in range(0, len(data), 200_000)]
    for number, piece in enumerate(pieces):
        gateway.piece(item.pk, number, piece)
    gateway.end(item.pk, len(pieces))
    item.refresh_from_db()
    return item


def ask(actor: Actor, *items: Item, **changed: str) -> Export:
    told = {
        "recipient_name": "박형사",
        "recipient_office": "김해서부경찰서",
        "basis": "pipa_18_2_7",
        "purpose": "강도 사건 수사",
    } | changed
    wanted = exports.Wanted(INCIDENT, [item.pk for item in items], **told)
    with civic.transaction() as tx:
        return exports.request_export(tx, actor, wanted, system_clock())


def decide(actor: Actor, export: Export, approve: bool = True, reason: str = "") -> Export:
    with civic.transaction() as tx:
        return exports.decide(tx, actor, export.pk, approve, reason, system_clock())


def fetch(actor: Actor, export: Export) -> bytes:
    with civic.transaction() as tx:
        return exports.fetch(tx, actor, export.pk, system_clock())[1]


def packed(supervisor: Actor, officer: Actor, folder: Path, *items: Item) -> Path:
    export = ask(supervisor, *items)
    decide(officer, export)
    assert packing.pack_all(system_clock) == 1, Export.objects.get().fault
    path = folder / "package.zip"
    path.write_bytes(fetch(supervisor, export))
    return path


def key() -> bytes:
    return city_key(settings.MADANG_KEYS.checkpoint_private_pem)


def outsider(path: Path, pem: bytes, folder: Path) -> tuple[int, str]:
    """The separate program's word."""
    (folder / "city.pem").write_bytes(pem)
    command = [sys.executable, "-I", str(VERIFIER), str(path), str(folder / "city.pem")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], **more: bytes) -> Path:
    """The package with its files changed, as a forger would pack them anew."""
    out = path.with_name("forged.zip")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.infolist():
            data = change(entry.filename, source.read(entry))
            if data is not None:
                target.writestr(entry.filename, data)
        for name, data in more.items():
            target.writestr(name, data)
    return out


def test_a_package_goes_from_request_to_a_second_persons_yes_to_one_download(
    supervisor: Actor, officer: Actor, still: Item, recording: Item, tmp_path: Path
) -> None:
    path = packed(supervisor, officer, tmp_path, still, recording)
    report = check_package(path, key())
    assert report.good, report.lines
    assert outsider(path, key(), tmp_path) == (0, "good: 2 files of incident 2026-000001 for 김해서부경찰서 박형사\n")
    with pytest.raises(ConflictError):
        fetch(supervisor, Export.objects.get())
    row = Export.objects.get()
    assert (row.state, row.key_sealed, vault.path_of(row.pk).exists()) == ("HANDED_OVER", None, False)
    done = AuditRow.objects.filter(thing=f"export:{row.pk}").order_by("seq").values_list("action", "actor")
    assert [(action.removeprefix("evidence."), actor) for action, actor in done] == [
        ("export_requested", supervisor.id),
        ("export_approved", officer.id),
        ("export_ready", "system:evidence"),
        ("handed_over", supervisor.id),
    ]
    assert Announcement.objects.filter(topic="video.evidence.handed_over").count() == 1
    with zipfile.ZipFile(path) as package:
        import io

        import av

        with av.open(io.BytesIO(package.read("items/002-recording.mp4"))) as container:
            assert [stream.type for stream in container.streams] == ["video"], "no sound, ever"


def test_nobody_approves_their_own_request_and_only_who_asked_fetches(
    operator: Actor, supervisor: Actor, officer: Actor, still: Item
) -> None:
    with pytest.raises(ForbiddenError):
        ask(operator, still)
    export = ask(supervisor, still)
    with pytest.raises(ForbiddenError):
        decide(supervisor, export)
    with pytest.raises(BadRequestError):
        decide(officer, export, approve=False)
    with pytest.raises(ConflictError):
        fetch(supervisor, export)
    decide(officer, export)
    with pytest.raises(ConflictError):
        decide(officer, export, approve=False, reason="다시 생각함")
    packing.pack_all(system_clock)
    with pytest.raises(ForbiddenError):
        fetch(officer, export)
    assert fetch(supervisor, export)


@pytest.mark.parametrize(
    "changed",
    [
        {"basis": "city_duty"},
        {"basis": "nonsense"},
        {"purpose": " "},
        {"recipient_name": ""},
        {"recipient_office": " "},
    ],
)
def test_a_request_names_a_ground_an_end_and_a_person(supervisor: Actor, still: Item, changed: dict[str, str]) -> None:
    with pytest.raises(BadRequestError):
        ask(supervisor, still, **changed)


def test_what_is_of_another_incident_or_city_or_erased_is_not_handed_over(
    supervisor: Actor, still: Item, other_authority: Authority, make_person: object
) -> None:
    from madang.identity.actors import actor_of_person
    from madang.identity.rights import Role

    stranger = actor_of_person(make_person(Role.SUPERVISOR, authority=other_authority))  # type: ignore[operator]
    with pytest.raises(NotFoundError):
        ask(stranger, still)
    Item.objects.filter(pk=still.pk).update(incident_id="another")
    with pytest.raises(BadRequestError):
        ask(supervisor, still)


@pytest.mark.parametrize("forgery", ["picture", "film", "manifest", "added", "removed", "other_key"])
def test_every_forgery_is_found_by_us_and_by_the_separate_program(
    supervisor: Actor, officer: Actor, still: Item, recording: Item, tmp_path: Path, forgery: str
) -> None:
    path = packed(supervisor, officer, tmp_path, still, recording)
    pem = key()

    def flip(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        return bytes(changed)

    def change(name: str, data: bytes) -> bytes | None:
        hit = {"picture": ".jpg", "film": ".mp4", "removed": ".jpg"}.get(forgery, "-")
        if name.endswith(hit):
            return None if forgery == "removed" else flip(data)
        if forgery == "manifest" and name == "manifest.json":
            return data.replace("박형사".encode(), "김형사".encode())
        return data

    more = {"items/009-still.jpg": b"planted"} if forgery == "added" else {}
    forged = rewritten(path, change, **more)
    if forgery == "other_key":
        pem = public_pem(new_private_pem())
    assert not check_package(forged, pem).good
    code, said = outsider(forged, pem, tmp_path)
    assert code == 1 and "BAD" in said


def test_the_credentials_inside_a_film_find_a_flipped_bit_without_the_manifest(
    supervisor: Actor, officer: Actor, recording: Item, tmp_path: Path
) -> None:
    from madang.video.evidence.credentials import check_credentials, root_of

    path = packed(supervisor, officer, tmp_path, recording)
    with zipfile.ZipFile(path) as package:
        [name] = [name for name in package.namelist() if name.endswith(".mp4")]
        data, root = package.read(name), root_of(package.read("certificates.pem").decode())
    assert check_credentials(data, "video/mp4", root) == ("Trusted", [])
    changed = bytearray(data)
    changed[-len(data) // 3] ^= 1
    state, codes = check_credentials(bytes(changed), "video/mp4", root)
    assert state == "Invalid" and codes


def test_damaged_evidence_is_never_handed_over(supervisor: Actor, officer: Actor, still: Item) -> None:
    export = ask(supervisor, still)
    decide(officer, export)
    path = vault.path_of(still.pk)
    path.write_bytes(path.read_bytes()[:-1])
    for _ in range(3):
        assert packing.pack_all(system_clock) == 0
    export.refresh_from_db()
    assert export.state == "FAILED" and "changed" in export.fault


# ----------------------------------------------------------------------------------- locks, retention, erasure


def lock(actor: Actor, item: Item, days: float = 90, reason: str = "재판 증거 보전") -> Item:
    now = system_clock()
    with civic.transaction() as tx:
        return commands.lock(tx, actor, item.pk, reason, now + timedelta(days=days), now)


def close(case: Case, actor: Actor) -> None:
    with civic.transaction() as tx:
        close_case(tx, actor, case.pk, "종결", system_clock())


def test_evidence_is_erased_when_its_time_is_over_and_leaves_a_tombstone(
    operator: Actor, case: Case, still: Item
) -> None:
    close(case, operator)
    fire(system_clock() + timedelta(days=29))
    assert vault.path_of(still.pk).exists()
    fire(system_clock() + timedelta(days=31))
    digest = still.digest
    still.refresh_from_db()
    assert (still.state, still.key_sealed, still.digest) == ("ERASED", None, digest)
    assert not vault.path_of(still.pk).exists()
    with pytest.raises(ConflictError), civic.transaction() as tx:
        queries.picture(tx, operator, still.pk, system_clock())
    row = AuditRow.objects.get(thing=f"evidence:{still.pk}", action="evidence.erased")
    assert (row.actor, row.retention) == ("system:retention", "administration")


def test_what_is_locked_is_not_erased_and_only_another_person_unlocks(
    operator: Actor, other_operator: Actor, case: Case, still: Item
) -> None:
    close(case, operator)
    lock(operator, still)
    fire(system_clock() + timedelta(days=31))
    still.refresh_from_db()
    assert still.state == "KEPT"
    with pytest.raises(ConflictError):
        lock(other_operator, still, days=1)
    with pytest.raises(ForbiddenError), civic.transaction() as tx:
        commands.unlock(tx, operator, still.pk, "더 필요 없음", system_clock())
    with civic.transaction() as tx:
        commands.unlock(tx, other_operator, still.pk, "더 필요 없음", system_clock())
    fire(system_clock() + timedelta(days=31))
    still.refresh_from_db()
    assert still.state == "ERASED"


def test_an_open_case_holds_its_evidence(operator: Actor, case: Case, still: Item) -> None:
    fire(system_clock() + timedelta(days=40))
    still.refresh_from_db()
    assert still.state == "KEPT"
    close(case, operator)
    fire(system_clock() + timedelta(days=42))
    still.refresh_from_db()
    assert still.state == "ERASED"


def test_a_package_nobody_fetches_lapses_and_files_without_a_key_are_swept(
    supervisor: Actor, officer: Actor, still: Item, vault_folder: Path
) -> None:
    export = ask(supervisor, still)
    decide(officer, export)
    packing.pack_all(system_clock)
    fire(system_clock() + timedelta(days=8))
    export.refresh_from_db()
    assert (export.state, export.key_sealed) == ("LAPSED", None)
    left = vault_folder / "ff" / "0198aaaa-0000-7000-8000-0000000000ff.sealed"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"torn")
    assert retention.sweep() == 1
    assert not left.exists() and vault.path_of(still.pk).exists()
