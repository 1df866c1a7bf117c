"""Signing evidence: a JWS over the manifest, and C2PA inside each file, both under the key of the audit checkpoints.

C2PA wants a certificate that another one vouches for. So the city's root is made once, signs the certificate of the
checkpoint key, and its private key is forgotten; the root's certificate is what a recipient is given to trust.
Everything works without a network: no time stamp and no revocation is asked for.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc import jws
from joserfc.jwk import ECKey

from madang.kernel.canonical import digest
from madang.video.evidence.models import Certificate

_VALID = timedelta(days=3_650)
_ALGORITHM = ec.ECDSA(hashes.SHA256())
_PEM = serialization.Encoding.PEM
LABEL = "kr.madang.evidence"


@lru_cache(maxsize=4)
def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), "the platform's keys are ECDSA P-256"
    return key


def public_pem(private_pem: bytes) -> bytes:
    """The key a recipient checks the manifest with: the one the outside auditor of the audit chain has."""
    return _private(private_pem).public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign_manifest(private_pem: bytes, manifest: bytes) -> str:
    """A compact JWS (ES256, RFC 7515) whose payload is the manifest, byte for byte."""
    header = {"alg": "ES256", "typ": "madang-evidence+jws", "kid": digest(public_pem(private_pem))[:16]}
    return jws.serialize_compact(header, manifest, ECKey.import_key(private_pem), algorithms=["ES256"])


def certificates(private_pem: bytes, city: str, now: datetime) -> str:
    """The certificate of the signing key and the root that vouches for it, PEM; made the first time."""
    name = digest(public_pem(private_pem))
    made = Certificate.objects.filter(pk=name).first()
    if made is None:
        chain = _certify(_private(private_pem), city, now)
        made, _ = Certificate.objects.get_or_create(pk=name, defaults={"chain_pem": chain, "made_at": now})
    return made.chain_pem


def _certify(key: ec.EllipticCurvePrivateKey, city: str, now: datetime) -> str:
    root_key = ec.generate_private_key(ec.SECP256R1())
    root_name, name = _name(city, "evidence root"), _name(city, "evidence")
    root = _begin(root_name, root_name, root_key.public_key(), now)
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    root = root.add_extension(_usage(signs_certificates=True), critical=True)
    leaf = _begin(name, root_name, key.public_key(), now)
    leaf = leaf.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    leaf = leaf.add_extension(_usage(signs_certificates=False), critical=True)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    vouched = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    leaf = leaf.add_extension(vouched, critical=False)
    made = (builder.sign(root_key, hashes.SHA256()) for builder in (leaf, root))
    return "".join(certificate.public_bytes(_PEM).decode() for certificate in made)


def _name(city: str, role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "KR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, city[:60]),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{city[:40]} {role}"),
        ]
    )


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + _VALID)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def with_credentials(
    data: bytes,
    media_type: str,
    facts: Mapping[str, Any],  # Any: JSON values
    private_pem: bytes,
    chain_pem: str,
) -> bytes:
    """The file with a C2PA manifest inside that tells `facts`; the pictures stay as they are."""
    import c2pa  # type: ignore[import-untyped]  # it ships no types

    key = _private(private_pem)

    def sign(message: bytes) -> bytes:
        first, second = decode_dss_signature(key.sign(message, _ALGORITHM))
        return first.to_bytes(32, "big") + second.to_bytes(32, "big")

    context = c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}})
    out = io.BytesIO()
    with (
        c2pa.Signer.from_callback(sign, c2pa.C2paSigningAlg.ES256, chain_pem, None) as signer,
        c2pa.Builder(_claim(facts), context) as builder,
    ):
        builder.sign(signer, media_type, io.BytesIO(data), out)
    return out.getvalue()


def _claim(facts: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON values
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    return {
        "claim_generator_info": [{"name": "Madang", "version": "1"}],
        "title": str(facts.get("name", "")),
        "assertions": [
            {
                "label": "c2pa.actions",
                "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": source}]},
            },
            {"label": LABEL, "data": dict(facts)},
        ],
    }
