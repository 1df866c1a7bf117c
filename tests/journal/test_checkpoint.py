"""Signed checkpoints: safely on the disk, chained, and no forged or broken line passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from madang.journal import checkpoint
from madang.journal.checkpoint import BadCheckpoint, Checkpoint, Checkpoints
from madang.journal.verify import Fault, verify
from madang.kernel.errors import ConfigError
from madang.kernel.keyring import Keyring
from tests.journal.conftest import AnyStore, ManualClock
from tests.journal.scenes import CITY
from tests.journal.test_audit import check, write


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "checkpoints.jsonl"


def sign(store: AnyStore, keys: Keyring, clock: ManualClock, file: Path, times: int = 3) -> Checkpoints:
    signer = Checkpoints(file, keys.checkpoint_private_pem)
    for _ in range(times):
        write(store, keys, clock, 4)
        assert signer.write(store, clock()) == 1
    return signer


def lines(file: Path, keys: Keyring) -> list[Checkpoint | BadCheckpoint]:
    return list(checkpoint.read(file, checkpoint.public_pem(keys.checkpoint_private_pem)))


def test_each_checkpoint_holds_the_head_of_its_chain(
    store: AnyStore, keys: Keyring, clock: ManualClock, file: Path
) -> None:
    sign(store, keys, clock, file)
    found = lines(file, keys)
    assert [point.seq for point in found] == [4, 8, 12]
    with store.reading() as tx:
        report = verify(tx, keys, checkpoint_file=file)
    assert (report.ok, report.checkpoints) == (True, 3)


def test_a_chain_that_did_not_grow_is_not_signed_again(
    store: AnyStore, keys: Keyring, clock: ManualClock, file: Path
) -> None:
    signer = sign(store, keys, clock, file, 1)
    assert signer.write(store, clock()) == 0
    write(store, keys, clock, 1, "busan")
    assert signer.write(store, clock()) == 1
    assert [point.stream for point in lines(file, keys)] == [CITY, "busan"]


def test_a_restart_goes_on_with_the_same_chain_of_checkpoints(
    store: AnyStore, keys: Keyring, clock: ManualClock, file: Path
) -> None:
    sign(store, keys, clock, file, 1)
    sign(store, keys, clock, file, 1)
    assert all(isinstance(point, Checkpoint) for point in lines(file, keys))
    assert check(store, keys, file).checkpoints == 2


def test_a_line_torn_by_a_crash_is_dropped_and_the_file_goes_on(
    store: AnyStore, keys: Keyring, clock: ManualClock, file: Path
) -> None:
    sign(store, keys, clock, file, 2)
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    assert check(store, keys, file).checkpoints == 1
    sign(store, keys, clock, file, 1)
    assert check(store, keys, file).ok
    assert [point.seq for point in lines(file, keys)] == [4, 12]


def _swap(text: list[bytes]) -> list[bytes]:
    return [text[1], text[0], *text[2:]]


def _without_second(text: list[bytes]) -> list[bytes]:
    return [text[0], *text[2:]]


def _edited(text: list[bytes]) -> list[bytes]:
    return [text[0], orjson.dumps(orjson.loads(text[1]) | {"seq": 7}, option=orjson.OPT_SORT_KEYS), *text[2:]]


def _noise(text: list[bytes]) -> list[bytes]:
    return [text[0], b"not a checkpoint", *text[2:]]


def _list(text: list[bytes]) -> list[bytes]:
    return [text[0], b"[1]", *text[2:]]


@pytest.mark.parametrize("change", [_swap, _without_second, _edited, _noise, _list])
def test_a_changed_checkpoint_file_is_refused_at_that_line(
    store: AnyStore,
    keys: Keyring,
    clock: ManualClock,
    file: Path,
    change: Callable[[list[bytes]], list[bytes]],
) -> None:
    sign(store, keys, clock, file)
    file.write_bytes(b"\n".join(change(file.read_bytes().splitlines())) + b"\n")
    report = check(store, keys, file)
    assert report.first_broken is not None
    assert report.first_broken.fault is Fault.CHECKPOINT_BAD
    assert ("line 1 " if change is _swap else "line 2 ") in report.first_broken.text


def test_checkpoints_signed_by_another_key_are_refused(
    store: AnyStore, keys: Keyring, clock: ManualClock, file: Path
) -> None:
    forger = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write(store, keys, clock)
    Checkpoints(file, forger).write(store, clock())
    report = check(store, keys, file)
    assert report.first_broken is not None
    assert (report.ok, report.first_broken.fault) == (False, Fault.CHECKPOINT_BAD)


def test_a_missing_checkpoint_file_does_not_pass_as_verified(
    store: AnyStore, keys: Keyring, clock: ManualClock, file: Path
) -> None:
    write(store, keys, clock)
    report = check(store, keys, file)
    assert report.first_broken is not None
    assert report.first_broken.fault is Fault.CHECKPOINTS_MISSING


def test_a_key_that_cannot_sign_is_refused_with_what_to_do(file: Path) -> None:
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for pem in (b"", other):
        with pytest.raises(ConfigError) as refusal:
            Checkpoints(file, pem)
        assert refusal.value.hint
