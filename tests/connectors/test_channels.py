"""Situation messages leave over real doors: a mail server with STARTTLS, and gateways over HTTP."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from madang.connectors.broadcast.channel import BroadcastChannel
from madang.connectors.broadcast.config import BroadcastConfig
from madang.connectors.sms_gateway.channel import SmsGatewayChannel
from madang.connectors.sms_gateway.config import SmsGatewayConfig
from madang.connectors.smtp.channel import MailChannel
from madang.connectors.smtp.config import SmtpConfig
from madang.kernel.errors import PermanentError, TemporaryError
from madang.kernel.mode import Mode
from madang.kernel.secret import Secret
from madang.response.messaging.channels import Outgoing, UnsureError
from madang_demo.gateways import Gateway

TEXT = "[모의 SIMULATED] [주의] 침수: 둔치 통제\n확인 Confirm: https://madang.example/portal/ack/abc"


def outgoing(address: str, key: str = "01a2-key") -> Outgoing:
    return Outgoing(key, address, "[모의 SIMULATED] [주의] 침수 2026-000001", TEXT, Mode.SIMULATED)


# -------------------------------------------------------------------------------------------------- mail


@dataclass
class Mailbox:
    """What the server took, and how it is told to behave."""

    letters: list[Envelope] = field(default_factory=list)
    refuse: str = ""
    cut: bool = False

    async def handle_RCPT(  # noqa: N802 -- the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del session
        self.letters.append(envelope)
        if self.cut:
            assert server.transport is not None
            server.transport.close()
        return "250 taken"


@dataclass
class MailServer:
    config: SmtpConfig
    box: Mailbox


def certificate(folder: Path) -> Path:
    """A certificate for `localhost`, signed by itself, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    signed = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
        key, hashes.SHA256()
    )
    path = folder / "mail.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return path


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:  # Any: untyped
    del server, session, envelope, mechanism
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"madang", b"hush")
    return AuthResult(success=right)


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailServer]:
    """A mail server that wants TLS and a password."""
    pem = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
        ready_timeout=10,
    )
    controller.start()
    try:
        config = SmtpConfig(
            host="localhost",
            port=port,
            certificates=str(pem),
            username="madang",
            password=Secret("hush"),
            sender="상황실 <situation@city.example>",
        )
        yield MailServer(config, box)
    finally:
        controller.stop()


def test_mail_goes_out_over_starttls_with_a_login_and_reads_as_it_was_written(mail: MailServer) -> None:
    number = MailChannel(mail.config).send(outgoing("duty@city.example"))
    [letter] = mail.box.letters
    assert letter.rcpt_tos == ["duty@city.example"]
    assert isinstance(letter.content, bytes)
    read = message_from_bytes(letter.content, policy=default)
    assert read["Subject"] == "[모의 SIMULATED] [주의] 침수 2026-000001"
    body = read.get_body()
    assert body is not None
    assert body.get_content().strip().replace("\r\n", "\n") == TEXT
    assert number == read["Message-ID"] == "<01a2-key@city.example>"


@pytest.mark.parametrize(("answer", "fault"), [("550 no such user", PermanentError), ("451 try later", TemporaryError)])
def test_a_refusal_of_the_mail_server_is_told_by_kind_and_without_the_address(
    mail: MailServer, answer: str, fault: type[Exception]
) -> None:
    mail.box.refuse = answer
    with pytest.raises(fault) as told:
        MailChannel(mail.config).send(outgoing("duty@city.example"))
    assert "duty@" not in str(told.value)
    assert not mail.box.letters


def test_a_mail_server_that_falls_silent_after_the_text_leaves_it_unsure(mail: MailServer) -> None:
    mail.box.cut = True
    with pytest.raises(UnsureError):
        MailChannel(mail.config).send(outgoing("duty@city.example"))


def test_a_wrong_password_an_unknown_certificate_and_a_dead_server_can_be_tried_again(mail: MailServer) -> None:
    wrong = msgspec.structs.replace(mail.config, password=Secret("guess"))
    untrusted = msgspec.structs.replace(mail.config, certificates="")
    dead = msgspec.structs.replace(mail.config, port=1)
    for config in (untrusted, dead):
        with pytest.raises(TemporaryError):
            MailChannel(config).send(outgoing("duty@city.example"))
    with pytest.raises(TemporaryError) as told:
        MailChannel(wrong).send(outgoing("duty@city.example"))
    assert "guess" not in str(told.value)
    assert not mail.box.letters


def test_a_mail_server_without_tls_is_for_this_machine_only() -> None:
    with pytest.raises(ValueError, match="this machine"):
        SmtpConfig(host="mail.example", sender="a@b.example", security="none")
    with pytest.raises(ValueError, match="sender"):
        SmtpConfig(host="mail.example")


# ---------------------------------------------------------------------------------------------- gateways


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """The simulated gateway, in this process."""
    with Gateway("127.0.0.1", 0, "hush") as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def sms(gateway: Gateway, *, token: str = "hush") -> SmsGatewayChannel:  # noqa: S107 -- a test's own word
    url = f"http://127.0.0.1:{gateway.server_address[1]}"
    return SmsGatewayChannel(SmsGatewayConfig(url=url, token=Secret(token), sender="0551234567", timeout_s=3))


def test_a_text_reaches_the_gateway_as_its_contract_says(gateway: Gateway) -> None:
    assert sms(gateway).send(outgoing("010-1234-5678")) == "m-1"
    [row] = gateway.taken.rows
    assert (row["to"], row["from"], row["text"], row["mode"]) == ("01012345678", "0551234567", TEXT, "simulated")
    assert row["key"] == "01a2-key"
    assert sms(gateway).send(outgoing("010-1234-5678")) == "m-1"
    assert len(gateway.taken.rows) == 1


def test_what_a_gateway_refuses_delays_or_leaves_open_is_told_apart(gateway: Gateway) -> None:
    with pytest.raises(PermanentError):
        sms(gateway).send(outgoing("010-1234-0000", "a"))
    with pytest.raises(TemporaryError):
        sms(gateway).send(outgoing("010-1234-5030", "b"))
    assert sms(gateway).send(outgoing("010-1234-5030", "b")) == "m-1"
    with pytest.raises(UnsureError):
        sms(gateway).send(outgoing("010-1234-5000", "c"))
    with pytest.raises(TemporaryError):
        sms(gateway, token="wrong").send(outgoing("010-1234-5678", "d"))
    gateway.shutdown()
    gateway.server_close()
    with pytest.raises(TemporaryError):
        sms(gateway).send(outgoing("010-1234-5678", "e"))


def test_loudspeakers_are_told_their_group_and_words(gateway: Gateway) -> None:
    url = f"http://127.0.0.1:{gateway.server_address[1]}"
    channel = BroadcastChannel(BroadcastConfig(url=url, token=Secret("hush"), timeout_s=3))
    assert channel.send(outgoing("내외동 1")) == "/announcements/m-1"
    assert gateway.taken.rows[0]["group"] == "내외동 1"
    with pytest.raises(PermanentError):
        channel.send(outgoing("없는 0000", "f"))


def test_a_gateway_elsewhere_is_spoken_to_over_tls_only() -> None:
    for config in (SmsGatewayConfig, BroadcastConfig):
        with pytest.raises(ValueError, match="https"):
            config(url="http://gateway.example")
