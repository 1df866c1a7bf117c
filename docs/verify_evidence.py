"""Checks a package of video evidence exported by Madang. Needs Python 3.9 and nothing else; shares no code with Madang.

    python3 verify_evidence.py PACKAGE.zip CITY-KEY.pem

The key comes from the city itself (`madang evidence key`), never from the package. Checked are: the signature of the
manifest (JWS, ES256: ECDSA on P-256 with SHA-256, RFC 7515 and FIPS 186-5), the SHA-256 of every file it names, and
that no other file is there. The C2PA credentials inside the files can be checked with certificates.pem and any C2PA
tool.
"""

import base64
import hashlib
import json
import pathlib
import sys
import zipfile

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
SPKI_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
OWN = {"manifest.json", "manifest.jws", "certificates.pem", "read-me.txt"}


def add(a, b):
    """Two points of the curve added; None is the point at infinity."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k, point):
    """A point added to itself k times."""
    result = None
    while k:
        if k & 1:
            result = add(result, point)
        point, k = add(point, point), k >> 1
    return result


def public_point(pem):
    """The point of a P-256 public key in PEM."""
    der = base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))
    if not der.startswith(SPKI_P256 + b"\x04") or len(der) != len(SPKI_P256) + 65:
        sys.exit("BAD: the key is not a P-256 public key in PEM")
    x, y = int.from_bytes(der[-64:-32], "big"), int.from_bytes(der[-32:], "big")
    if (y * y - (x * x * x - 3 * x + B)) % P:
        sys.exit("BAD: the key is no point of the curve")
    return x, y


def holds(signature, message, point):
    """Whether an ECDSA signature (r and s, 32 bytes each) of a message holds."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not (0 < r < N and 0 < s < N):
        return False
    told, inverse = int.from_bytes(hashlib.sha256(message).digest(), "big"), pow(s, -1, N)
    found = add(times(told * inverse % N, G), times(r * inverse % N, point))
    return found is not None and found[0] % N == r


def unbase64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def main(package_path, key_path):
    """Tells what was found; returns how many things do not hold."""
    point = public_point(pathlib.Path(key_path).read_text(encoding="ascii"))
    faults = []
    with zipfile.ZipFile(package_path) as package:
        manifest = package.read("manifest.json")
        head, payload, signature = package.read("manifest.jws").decode("ascii").strip().split(".")
        if json.loads(unbase64url(head)).get("alg") != "ES256":
            faults.append("the signature is of another kind than ES256")
        elif not holds(unbase64url(signature), f"{head}.{payload}".encode("ascii"), point):
            faults.append("the signature does not hold with this key")
        if unbase64url(payload) != manifest:
            faults.append("the signed manifest is not the one in the package")
        told = json.loads(manifest)
        names, present = {item["name"] for item in told["items"]}, package.namelist()
        faults += [f"{name} is not in the manifest" for name in sorted(set(present) - names - OWN)]
        if len(present) != len(set(present)):
            faults.append("a name occurs twice in the package")
        for item in told["items"]:
            data = package.read(item["name"]) if item["name"] in present else b""
            if hashlib.sha256(data).hexdigest() != item["sha256"]:
                faults.append(f"{item['name']} is missing or not what was handed over")
    for fault in faults:
        sys.stdout.write(f"BAD: {fault}\n")
    if not faults:
        who = told["recipient"]
        found = f"{len(names)} files of incident {told['incident']}"
        sys.stdout.write(f"good: {found} for {who['office']} {who['name']}\n")
    return len(faults)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        sys.exit(1 if main(*sys.argv[1:]) else 0)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        sys.exit(f"BAD: the package cannot be read: {error}")
