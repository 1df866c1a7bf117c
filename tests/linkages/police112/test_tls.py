"""TLS by configuration: the agency's server is checked, and the platform shows its own certificate."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django.fixtures import Settings

from madang.kernel.clock import system_clock
from madang.kernel.errors import TemporaryError
from madang.linkages.police112 import sending
from tests.linkages.police112.agency import Mailbox


@dataclass
class Authority:
    """A certificate authority that lives for one test."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        self.certificate = self._signed(self.subject, self.key, is_authority=True)
        self.file = self.folder / f"{self.name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> x509.Certificate:
        now = system_clock()
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key files for `name`, good for 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key, is_authority=False)
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files


@pytest.fixture
def authority_of_certificates(tmp_path: Path) -> Authority:
    """Who signs for the police network."""
    return Authority(tmp_path, "police-network")


@pytest.fixture
def guarded(authority_of_certificates: Authority) -> Iterator[Mailbox]:
    """An endpoint that wants to see a certificate of its own network."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority_of_certificates.issue("agency"))
    context.load_verify_locations(authority_of_certificates.file)
    context.verify_mode = ssl.CERT_REQUIRED
    mailbox = Mailbox(context)
    yield mailbox
    mailbox.close()


def test_with_the_networks_certificates_messages_pass(
    db: None, guarded: Mailbox, authority_of_certificates: Authority, settings: Settings
) -> None:
    certificate, key = authority_of_certificates.issue("platform")
    settings.MADANG_LINKAGES = {
        "police112": {
            "ca_file": str(authority_of_certificates.file),
            "client_cert_file": str(certificate),
            "client_key_file": str(key),
        }
    }
    sending._post(guarded.url, b"{}")
    assert guarded.got[0][1] == b"{}"


def test_a_server_of_another_authority_is_not_spoken_to(
    db: None, guarded: Mailbox, tmp_path: Path, settings: Settings
) -> None:
    settings.MADANG_LINKAGES = {"police112": {"ca_file": str(Authority(tmp_path, "somebody-else").file)}}
    with pytest.raises(TemporaryError, match="certificate verify failed"):
        sending._post(guarded.url, b"{}")
    assert guarded.got == []


def test_without_a_certificate_of_its_own_the_platform_is_turned_away(
    db: None, guarded: Mailbox, authority_of_certificates: Authority, settings: Settings
) -> None:
    settings.MADANG_LINKAGES = {"police112": {"ca_file": str(authority_of_certificates.file)}}
    with pytest.raises(TemporaryError):
        sending._post(guarded.url, b"{}")
    assert guarded.got == []
