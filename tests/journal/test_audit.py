"""Every decision is on a chain anyone can verify; what is erased is gone and the chain still holds."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.journal import audit, checkpoint, retention
from madang.journal.checkpoint import Checkpoints
from madang.journal.verify import Fault, Report, verify
from madang.kernel.canonical import canonical_json
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.keyring import Keyring
from madang.kernel.mode import Mode
from tests.journal import outside_auditor, stores
from tests.journal.conftest import AnyStore, ManualClock
from tests.journal.scenes import CITY

ROWS = 12


def write(store: AnyStore, keys: Keyring, clock: ManualClock, rows: int = ROWS, stream: str = CITY) -> None:
    with store.transaction() as tx:
        for number in range(rows):
            audit.record(
                tx,
                keys,
                authority=stream,
                actor=f"person:{number % 3}",
                action="video.view_started",
                thing=f"camera:{number}",
                mode=Mode.LIVE,
                now=clock(),
                body={"이름": "홍길동", "number": number} if number % 4 else None,
                basis="pipa_18_2_3",
                retention="caller" if number % 2 else "access_log",
            )
            clock.move(1)


def check(store: AnyStore, keys: Keyring, checkpoint_file: Path | None = None) -> Report:
    with store.reading() as tx:
        return verify(tx, keys, checkpoint_file=checkpoint_file)


def tamper(store: AnyStore, sql: str, *params: object) -> None:
    with store.transaction() as tx:
        tx.execute(sql, params)


def fault(report: Report) -> tuple[int, Fault]:
    assert report.first_broken is not None
    assert not report.ok
    assert str(report.first_broken.seq) in report.first_broken.text
    return report.first_broken.seq, report.first_broken.fault


def test_an_untouched_chain_verifies(store: AnyStore, keys: Keyring, clock: ManualClock) -> None:
    write(store, keys, clock)
    write(store, keys, clock, 3, "busan")
    report = check(store, keys)
    assert (report.ok, report.rows, report.first_broken) == (True, ROWS + 3, None)


def test_an_empty_store_verifies(store: AnyStore, keys: Keyring) -> None:
    assert check(store, keys) == Report(True, 0, 0, 0, None)


def test_cities_have_chains_of_their_own(store: AnyStore, keys: Keyring, clock: ManualClock) -> None:
    write(store, keys, clock, 2)
    write(store, keys, clock, 1, "busan")
    with store.reading() as tx:
        assert audit.streams(tx) == ["busan", CITY]
        assert (audit.head(tx, CITY)[0], audit.head(tx, "busan")[0]) == (2, 1)


def test_no_body_lies_in_clear_text_in_the_store(store: AnyStore, keys: Keyring, clock: ManualClock) -> None:
    write(store, keys, clock)
    with store.reading() as tx:
        sealed = [bytes(row[0]) for row in tx.execute("SELECT sealed FROM journal_audit_blob ORDER BY seq")]
        assert all("홍길동".encode() not in blob for blob in sealed)
        _, body = audit.unseal(keys, CITY, 2, sealed[0])
        assert "홍길동" in body.decode()
        with pytest.raises(InvalidTag):
            audit.unseal(keys, CITY, 3, sealed[0])


TEXT_COLUMNS = [name for name in audit.COLUMNS if name not in ("seq", "stream")]


@pytest.mark.parametrize("column", TEXT_COLUMNS)
def test_a_changed_field_names_its_row(store: AnyStore, keys: Keyring, clock: ManualClock, column: str) -> None:
    write(store, keys, clock)
    tamper(store, f"UPDATE journal_audit SET {column} = 'x' WHERE seq = 6")
    assert fault(check(store, keys)) == (6, Fault.EDITED)


@pytest.mark.parametrize("seq", [1, 5, ROWS - 1])
def test_a_deleted_row_is_named(store: AnyStore, keys: Keyring, clock: ManualClock, seq: int) -> None:
    write(store, keys, clock)
    tamper(store, "DELETE FROM journal_audit WHERE seq = ?", seq)
    assert fault(check(store, keys)) == (seq, Fault.MISSING)


@pytest.mark.parametrize(("one", "other"), [(4, 5), (3, 9), (1, ROWS)])
def test_swapped_rows_are_named(store: AnyStore, keys: Keyring, clock: ManualClock, one: int, other: int) -> None:
    write(store, keys, clock)
    for seq, to in ((one, 1000), (other, one), (1000, other)):
        tamper(store, "UPDATE journal_audit SET seq = ? WHERE seq = ?", to, seq)
    assert fault(check(store, keys)) == (one, Fault.REORDERED)


def test_rows_moved_up_over_a_deleted_one_are_named(store: AnyStore, keys: Keyring, clock: ManualClock) -> None:
    write(store, keys, clock)
    tamper(store, "DELETE FROM journal_audit WHERE seq = 5")
    for seq in range(6, ROWS + 1):
        tamper(store, "UPDATE journal_audit SET seq = ? WHERE seq = ?", seq - 1, seq)
    assert fault(check(store, keys)) == (5, Fault.REORDERED)


def rewrite(store: AnyStore, seq: int) -> None:
    """Changes a row and gives it the hash it would have had: what somebody does who knows the format."""
    with store.transaction() as tx:
        fields = list(tx.execute(f"SELECT {', '.join(audit.COLUMNS[:-1])} FROM journal_audit WHERE seq = ?", (seq,))[0])
        fields[3] = "person:innocent"
        tx.execute(
            "UPDATE journal_audit SET actor = ?, hash = ? WHERE seq = ?",
            (fields[3], audit.row_hash(tuple(fields)), seq),
        )


def test_a_row_written_anew_with_a_fitting_hash_is_named(store: AnyStore, keys: Keyring, clock: ManualClock) -> None:
    write(store, keys, clock)
    rewrite(store, 6)
    assert fault(check(store, keys)) == (6, Fault.REWRITTEN)


def test_the_last_row_written_anew_is_named_by_the_checkpoint(
    store: AnyStore, keys: Keyring, clock: ManualClock, tmp_path: Path
) -> None:
    write(store, keys, clock)
    file = tmp_path / "checkpoints.jsonl"
    Checkpoints(file, keys.checkpoint_private_pem).write(store, clock())
    rewrite(store, ROWS)
    assert check(store, keys).ok
    assert fault(check(store, keys, file)) == (ROWS, Fault.REWRITTEN)


def test_a_row_after_a_checkpoint_that_does_not_follow_it_is_named(
    store: AnyStore, keys: Keyring, clock: ManualClock, tmp_path: Path
) -> None:
    write(store, keys, clock, 4)
    file = tmp_path / "checkpoints.jsonl"
    Checkpoints(file, keys.checkpoint_private_pem).write(store, clock())
    write(store, keys, clock, 4)
    with store.transaction() as tx:
        fields = list(tx.execute(f"SELECT {', '.join(audit.COLUMNS[:-1])} FROM journal_audit WHERE seq = 5")[0])
        fields[-1] = "f" * 64
        tx.execute(
            "UPDATE journal_audit SET prev_hash = ?, hash = ? WHERE seq = 5",
            (fields[-1], audit.row_hash(tuple(fields))),
        )
    assert fault(check(store, keys, file)) == (5, Fault.REWRITTEN)


def test_a_cut_tail_is_found_by_the_bodies_it_left(store: AnyStore, keys: Keyring, clock: ManualClock) -> None:
    write(store, keys, clock)
    tamper(store, "DELETE FROM journal_audit WHERE seq > 8")
    assert fault(check(store, keys)) == (9, Fault.TAIL_CUT)


@pytest.mark.parametrize("keep", [0, 1, 8])
def test_a_cleanly_cut_tail_is_found_by_the_checkpoint(
    store: AnyStore, keys: Keyring, clock: ManualClock, tmp_path: Path, keep: int
) -> None:
    write(store, keys, clock)
    file = tmp_path / "checkpoints.jsonl"
    Checkpoints(file, keys.checkpoint_private_pem).write(store, clock())
    for table in ("journal_audit", "journal_audit_blob"):
        tamper(store, f"DELETE FROM {table} WHERE seq > ?", keep)
    assert check(store, keys).ok
    assert fault(check(store, keys, file)) == (keep + 1, Fault.TAIL_CUT)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "UPDATE journal_audit_blob SET sealed = (SELECT sealed FROM journal_audit_blob WHERE seq = 7)"
            " WHERE seq = 6",
            Fault.BODY_CHANGED,
        ),
        ("DELETE FROM journal_audit_blob WHERE seq = 6", Fault.BODY_MISSING),
        ("UPDATE journal_audit_blob SET sealed = NULL WHERE seq = 6", Fault.BODY_MISSING),
        (
            "UPDATE journal_audit_blob SET sealed = NULL, erased_at = 'x', erasure_seq = 9 WHERE seq = 6",
            Fault.ERASURE_UNRECORDED,
        ),
        (
            "UPDATE journal_audit_blob SET sealed = NULL, erased_at = 'x', erasure_seq = 99 WHERE seq = 6",
            Fault.ERASURE_UNRECORDED,
        ),
    ],
)
def test_a_tampered_body_names_its_row(
    store: AnyStore, keys: Keyring, clock: ManualClock, sql: str, expected: Fault
) -> None:
    write(store, keys, clock)
    tamper(store, sql)
    assert fault(check(store, keys)) == (6, expected)


def test_a_body_under_a_row_written_without_one_is_named(store: AnyStore, keys: Keyring, clock: ManualClock) -> None:
    write(store, keys, clock)
    tamper(
        store,
        "INSERT INTO journal_audit_blob (stream, seq, retention, at, sealed, erased_by, erased_reason)"
        " VALUES (?, 5, '', '', ?, '', '')",
        CITY,
        b"planted",
    )
    assert fault(check(store, keys)) == (5, Fault.BODY_UNEXPECTED)


def test_a_body_sealed_anew_by_somebody_with_only_the_blob_key_is_named(
    store: AnyStore, keys: Keyring, clock: ManualClock
) -> None:
    write(store, keys, clock)
    sealed, _ = audit.seal(keys, CITY, 6, b'{"number":0}')
    tamper(store, "UPDATE journal_audit_blob SET sealed = ? WHERE seq = 6", sealed)
    assert fault(check(store, keys)) == (6, Fault.BODY_CHANGED)


def test_what_is_due_is_erased_by_kind_and_the_chain_still_verifies(
    store: AnyStore, keys: Keyring, clock: ManualClock
) -> None:
    write(store, keys, clock)
    clock.move(31 * 86_400)
    with store.transaction() as tx:
        assert retention.erase_due(tx, keys, clock()) == ROWS // 2
        assert retention.erase_due(tx, keys, clock()) == 0
        kept = tx.execute(
            "SELECT DISTINCT a.retention FROM journal_audit a JOIN journal_audit_blob b ON b.stream = a.stream"
            " AND b.seq = a.seq WHERE b.sealed IS NOT NULL"
        )
        erased = tx.execute("SELECT DISTINCT erased_by, erased_reason FROM journal_audit_blob WHERE sealed IS NULL")
    assert kept == [("access_log",)]
    assert erased == [("system:retention", "retention period over")]
    report = check(store, keys)
    assert (report.ok, report.rows, report.erased) == (True, ROWS + 1, ROWS // 2)


def test_an_officer_changes_how_long_a_kind_lives(store: AnyStore, keys: Keyring, clock: ManualClock) -> None:
    write(store, keys, clock)
    tamper(store, "UPDATE journal_retention SET days = 400 WHERE kind = 'caller'")
    clock.move(31 * 86_400)
    with store.transaction() as tx:
        assert retention.erase_due(tx, keys, clock()) == 0


def test_one_body_is_erased_on_somebodys_word_and_reason(store: AnyStore, keys: Keyring, clock: ManualClock) -> None:
    write(store, keys, clock)
    with store.transaction() as tx:
        retention.erase_one(tx, keys, stream=CITY, seq=6, actor="person:9", reason="정보주체 요청", now=clock())
        with pytest.raises(NotFoundError):
            retention.erase_one(tx, keys, stream=CITY, seq=6, actor="person:9", reason="again", now=clock())
        with pytest.raises(BadRequestError):
            retention.erase_one(tx, keys, stream=CITY, seq=7, actor="person:9", reason="", now=clock())
        action, actor, thing = tx.execute("SELECT action, actor, thing FROM journal_audit WHERE seq = ?", (ROWS + 1,))[
            0
        ]
    assert (action, actor, thing) == ("journal.erased", "person:9", "row:6")
    report = check(store, keys)
    assert (report.ok, report.erased) == (True, 1)


def test_an_erasure_of_one_row_does_not_cover_another(store: AnyStore, keys: Keyring, clock: ManualClock) -> None:
    write(store, keys, clock)
    with store.transaction() as tx:
        retention.erase_one(tx, keys, stream=CITY, seq=6, actor="person:9", reason="request", now=clock())
    tamper(
        store,
        "UPDATE journal_audit_blob SET sealed = NULL, erased_at = 'x', erasure_seq = ? WHERE seq = 4",
        ROWS + 1,
    )
    assert fault(check(store, keys)) == (4, Fault.ERASURE_UNRECORDED)


def test_progress_is_told_while_verifying(store: AnyStore, keys: Keyring, clock: ManualClock) -> None:
    write(store, keys, clock)
    write(store, keys, clock, 3, "busan")
    told: list[int] = []
    with store.reading() as tx:
        verify(tx, keys, progress=told.append)
    assert told == [3, 3 + ROWS]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # the store is rolled back to its first state after each example
@given(
    seq=st.integers(1, ROWS),
    column=st.sampled_from([name for name in audit.COLUMNS if name != "seq"]),
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40),
)
def test_any_change_of_any_field_names_that_row(
    chain_file: Path, keys: Keyring, seq: int, column: str, text: str
) -> None:
    with stores.apsw_file(chain_file) as store:
        report: Report | None = None
        with pytest.raises(ZeroDivisionError), store.transaction() as tx:
            before = tx.execute(f"SELECT {column} FROM journal_audit WHERE seq = ?", (seq,))[0][0]
            tx.execute(f"UPDATE journal_audit SET {column} = ? WHERE seq = ?", (text, seq))
            report = verify(tx, keys)
            raise ZeroDivisionError
        assert report is not None
        if text == before:
            assert report.ok
        elif column == "stream":
            assert not report.ok
        else:
            assert fault(report) == (seq, Fault.EDITED)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seq=st.sampled_from([2, 3, 4, 6, 7, 8, 10]), at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_flipped_bit_of_any_body_names_that_row(
    chain_file: Path, keys: Keyring, seq: int, at: int, bit: int
) -> None:
    with stores.apsw_file(chain_file) as store:
        report: Report | None = None
        with pytest.raises(ZeroDivisionError), store.transaction() as tx:
            sealed = bytearray(tx.execute("SELECT sealed FROM journal_audit_blob WHERE seq = ?", (seq,))[0][0])
            sealed[at % len(sealed)] ^= 1 << bit
            tx.execute("UPDATE journal_audit_blob SET sealed = ? WHERE seq = ?", (bytes(sealed), seq))
            report = verify(tx, keys)
            raise ZeroDivisionError
        assert report is not None
        assert fault(report) == (seq, Fault.BODY_CHANGED)


@pytest.fixture
def chain_file(tmp_path: Path, keys: Keyring, clock: ManualClock) -> Path:
    path = tmp_path / "chain.sqlite3"
    with stores.apsw_file(path) as store:
        write(store, keys, clock)
    return path


@pytest.fixture
def audited(chain_file: Path, keys: Keyring, clock: ManualClock) -> tuple[Path, Path]:
    """A chain with an erased kind, and its checkpoints."""
    file = chain_file.with_name("checkpoints.jsonl")
    with stores.apsw_file(chain_file) as store:
        signer = Checkpoints(file, keys.checkpoint_private_pem)
        signer.write(store, clock())
        clock.move(31 * 86_400)
        with store.transaction() as tx:
            retention.erase_due(tx, keys, clock())
        write(store, keys, clock, 3, "busan")
        signer.write(store, clock())
    return chain_file, file


def outside(database: Path, file: Path, keys: Keyring, *, with_keys: bool = True) -> outside_auditor.Wrong | None:
    return outside_auditor.audit(
        database,
        file,
        checkpoint.public_pem(keys.checkpoint_private_pem),
        keys.audit_key if with_keys else None,
        keys.blob_key if with_keys else None,
    )


def test_an_auditor_with_a_verifier_of_their_own_agrees(audited: tuple[Path, Path], keys: Keyring) -> None:
    assert outside(*audited, keys) is None
    assert outside(*audited, keys, with_keys=False) is None
    with stores.apsw_file(audited[0]) as store:
        assert check(store, keys, audited[1]).ok


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE journal_audit SET actor = 'x' WHERE stream = 'gimhae' AND seq = 6",
        "UPDATE journal_audit SET hash = prev_hash WHERE stream = 'gimhae' AND seq = 1",
        "DELETE FROM journal_audit WHERE stream = 'gimhae' AND seq = 6",
        "DELETE FROM journal_audit WHERE stream = 'gimhae' AND seq > 10",
        "DELETE FROM journal_audit WHERE stream = 'busan'",
        "UPDATE journal_audit_blob SET sealed = x'00' WHERE stream = 'busan' AND seq = 2",
        "DELETE FROM journal_audit_blob WHERE stream = 'gimhae' AND seq = 3",
    ],
)
def test_both_verifiers_name_the_same_row(audited: tuple[Path, Path], keys: Keyring, sql: str) -> None:
    with stores.apsw_file(audited[0]) as store:
        tamper(store, sql)
        report = check(store, keys, audited[1])
    wrong = outside(*audited, keys)
    assert report.first_broken is not None
    assert wrong is not None
    assert (report.first_broken.stream, report.first_broken.seq) == wrong[:2]


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_the_format_is_the_same_from_any_json_library(fields: dict[str, str]) -> None:
    assert outside_auditor.canonical(fields) == canonical_json(fields)


def test_the_outside_verifier_is_short_and_knows_nothing_of_the_platform() -> None:
    source = inspect.getsource(outside_auditor)
    assert "import madang" not in source
    assert "from madang" not in source
    code = [line for line in source.splitlines() if line.strip()]
    assert len(code) <= 110
