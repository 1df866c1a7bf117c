"""The simulated police room keeps its own promises: signatures, days from a seed, honest pictures."""

from __future__ import annotations

import base64
import itertools
import re
from pathlib import Path

import av
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from madang_demo.police112.film import Film, boxes
from madang_demo.police112.ledger import Ledger
from madang_demo.police112.signing import SignatureError, Signer, Verifier, make_keys, signature_base
from madang_demo.police112.stories import STORIES, Day, read_spots

CONTRACT = Path(__file__).resolve().parents[2] / "src/madang/linkages/police112/README.md"
URL = "http://127.0.0.1:8100/messages"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_keys(tmp_path / "police.pem")
    return Signer.read(tmp_path / "police.pem", "k1")


@pytest.fixture
def verifier(signer: Signer, tmp_path: Path) -> Verifier:
    return Verifier({"k1": (tmp_path / "police.pub.pem").read_text()})


def test_the_room_computes_the_contract_s_worked_example() -> None:
    page = CONTRACT.read_text()
    base_text = re.search(r"```text signature-base\n(.*?)\n```", page, re.DOTALL)
    expected = re.search(r"```text ed25519-signature\n(.*?)\n```", page, re.DOTALL)
    secret = re.search(r"`([0-9a-f]{64})`", page)
    assert base_text and expected and secret
    lines = dict(line.split(": ", 1) for line in base_text[1].splitlines())
    parameters = (
        lines.pop('"@signature-params"').replace("doc-ec-1", "doc-ed-1").replace("ecdsa-p256-sha256", "ed25519")
    )
    values = {name.strip('"'): value for name, value in lines.items()}
    base = signature_base(values, ("@method", "@target-uri", "content-digest", "content-type"), parameters)
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret[1]))
    assert base64.b64encode(key.sign(base)).decode() == expected[1]


def test_what_it_signs_it_accepts_once(signer: Signer, verifier: Verifier) -> None:
    headers = signer.headers("POST", URL, b'{"a":1}')
    verifier.check(URL, headers, b'{"a":1}')
    with pytest.raises(SignatureError, match="seen before"):
        verifier.check(URL, headers, b'{"a":1}')


@pytest.mark.parametrize(
    ("url", "body", "spoil"),
    [
        (URL, b'{"a":2}', {}),
        ("http://127.0.0.1:8100/other", b'{"a":1}', {}),
        (URL, b'{"a":1}', {"signature": "sig1=:AAAA:"}),
        (URL, b'{"a":1}', {"signature-input": "nonsense"}),
    ],
    ids=["body", "url", "signature", "input"],
)
def test_what_was_changed_after_signing_is_refused(
    signer: Signer, verifier: Verifier, url: str, body: bytes, spoil: dict[str, str]
) -> None:
    headers = {**signer.headers("POST", URL, b'{"a":1}'), **spoil}
    with pytest.raises(SignatureError):
        verifier.check(url, headers, body)


def test_the_same_seed_is_the_same_day() -> None:
    def day() -> list[object]:
        return list(itertools.islice(Day(read_spots(None), 7, "x").calls(), 200))

    assert day() == day()


def test_every_story_happens_in_a_day() -> None:
    calls = list(itertools.islice(Day(read_spots(None), 7, "x").calls(), 600))
    assert {call.story for call in calls} == set(STORIES)
    assert all(call.facts["text"].startswith("[모의]") for call in calls)


def test_a_message_that_comes_again_is_booked_once_and_a_changed_one_is_an_error(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "book.sqlite3")
    assert ledger.got("m1", "c1", "GrantOffer", b"one")
    assert not ledger.got("m1", "c1", "GrantOffer", b"one")
    with pytest.raises(ValueError, match="another body"):
        ledger.got("m1", "c1", "GrantOffer", b"two")
    ledger.close()


def test_what_was_booked_and_not_answered_is_found_after_a_restart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "book.sqlite3")
    ledger.sending("m1", "c1", 1, "VideoRequest", b"one")
    ledger.sending("m2", "c1", 2, "CallClosed", b"two")
    ledger.attempted("m1", 202, "new")
    ledger.close()
    again = Ledger(tmp_path / "book.sqlite3")
    assert again.unsent() == [("m2", b"two")]
    again.close()


def fragmented(film: Path, still: bool, target: Path) -> bytes:
    """The film as fMP4, every packet its first one if `still`."""
    options = {"movflags": "frag_every_frame+empty_moov+default_base_moof"}
    with av.open(str(film)) as source, av.open(str(target), "w", format="mp4", options=options) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size][:30]
        for index, original in enumerate(packets):
            packet = av.Packet(bytes(packets[0] if still else original))
            packet.stream, packet.time_base = stream, original.time_base
            packet.pts = packet.dts = packets[index].dts
            packet.is_keyframe = packets[0].is_keyframe if still else original.is_keyframe
            out.mux_one(packet)
    return target.read_bytes()


@pytest.mark.parametrize("still", [False, True], ids=["moving", "frozen"])
def test_a_frozen_picture_is_told_from_a_moving_one(tmp_path: Path, still: bool) -> None:
    loop = Path(__file__).resolve().parents[2] / "src/madang_demo/loops/crossing.mp4"
    data = fragmented(loop, still, tmp_path / "film.mp4")
    starts = [start - 8 for kind, start, _ in boxes(data) if kind == b"moof"]
    film = Film()
    film.begin(data[: starts[0]])
    for start, end in itertools.pairwise([*starts, len(data)]):
        film.add(data[start:end])
    change = film.change()
    assert film.fragments == 30
    assert film.media_s == pytest.approx(29 / 15, abs=0.01)
    assert film.backwards == 0
    assert change is not None
    assert (change == 0) is still
