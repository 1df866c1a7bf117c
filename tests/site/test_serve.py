"""`madang serve`, as an operator runs it: real processes, real ports, real signals."""

from __future__ import annotations

import os
import signal
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.site.serving import (
    PASSWORD,
    Installation,
    accepts,
    children_of,
    copied,
    environment,
    is_alive,
    serving,
    until,
)


@pytest.fixture(scope="module")
def home(template: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return copied(template, tmp_path_factory.mktemp("served") / "city")


@pytest.fixture(scope="module")
def server(home: Installation) -> Iterator[subprocess.Popen[bytes]]:
    with serving(home) as process:
        yield process


@pytest.fixture
def client(home: Installation, server: subprocess.Popen[bytes]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=home.url, timeout=30) as made:
        yield made


def log_in(client: httpx.Client) -> httpx.Response:
    client.get("/api/console/me")
    client.get("/")
    headers = {"X-CSRFToken": client.cookies.get("csrftoken") or ""}
    return client.post("/api/console/login", json={"username": "kim", "password": PASSWORD}, headers=headers)


def test_it_answers_health_login_and_refuses_strangers(client: httpx.Client) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    page = client.get("/office/login/")
    assert page.status_code == 200
    assert "csrftoken" in page.cookies
    assert client.get("/api/console/me").status_code == 401
    assert client.get("/ngsi-ld/v1/entities?type=Camera").status_code == 401
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


def test_a_session_is_kept_from_scripts_and_other_sites(client: httpx.Client) -> None:
    answer = log_in(client)
    assert answer.status_code == 200, answer.text
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("sessionid="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert client.get("/api/console/me").json()["person"]["name"] == "김관제"


def test_a_login_without_the_pages_token_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/console/login", json={"username": "kim", "password": PASSWORD})
    assert answer.status_code == 403


def test_fifty_megabytes_are_refused_politely(client: httpx.Client) -> None:
    for path in ("/api/console/login", "/ngsi-ld/v1/entities", "/linkages/police112/v1/calls"):
        answer = client.post(path, content=b"x" * 50_000_000)
        assert answer.status_code == 413, path
    assert client.get("/healthz").status_code == 200


def test_files_of_the_office_are_served_with_their_type_and_a_tag(client: httpx.Client) -> None:
    answer = client.get("/static/admin/css/base.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["content-encoding"] == "gzip"
    again = client.get("/static/admin/css/base.css", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["/static/../madang.toml", "/static/%2e%2e/%2e%2e/settings.py", "/static//etc/passwd", "/static/admin"]
)
def test_nothing_outside_the_static_folders_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_second_server_on_the_same_city_is_refused(home: Installation, server: subprocess.Popen[bytes]) -> None:
    second = home.run("serve", "--role", "core")
    assert second.returncode != 0
    assert "a madang server is running" in second.stderr


def test_a_restore_is_refused_while_it_runs(home: Installation, server: subprocess.Popen[bytes]) -> None:
    copy = home.directory / "while-running"
    assert home.run("backup", str(copy)).returncode == 0
    refused = home.run("restore", "--yes", str(copy))
    assert refused.returncode == 1
    assert "stop it first" in refused.stderr


def test_a_part_that_dies_is_started_again(home: Installation, server: subprocess.Popen[bytes]) -> None:
    until(lambda: len(children_of(server.pid)) == 3)
    before = set(children_of(server.pid))
    media = next(pid for pid in before if b"madang.video.media" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(media, signal.SIGKILL)
    until(lambda: len(set(children_of(server.pid)) - {media}) == 3)
    assert server.poll() is None


def test_it_ends_cleanly_although_a_screen_is_watching(template: Installation, tmp_path: Path) -> None:
    home = copied(template, tmp_path / "city")
    with serving(home) as process, httpx.Client(base_url=home.url, timeout=30) as client:
        log_in(client)
        with client.stream("GET", "/api/console/live") as live:
            events = live.iter_lines()
            assert any(line.startswith("event: hello") for line in events)
            until(lambda: len(children_of(process.pid)) == 3)
            parts = children_of(process.pid)
            process.send_signal(signal.SIGTERM)
            rest = list(events)
        assert process.wait(20) == 0
        assert "event: bye" in rest, "the screen is told, not cut off"
    assert not any(is_alive(pid) for pid in parts)


def test_its_parts_end_when_it_is_killed(template: Installation, tmp_path: Path) -> None:
    home = copied(template, tmp_path / "city")
    with serving(home) as process:
        until(lambda: len(children_of(process.pid)) == 3 and accepts(home.media_port))
        parts = children_of(process.pid)
        process.kill()
        process.wait()
        until(lambda: not any(is_alive(pid) for pid in parts), 30)


def test_without_keys_it_refuses_to_start_and_says_how_to_get_them(tmp_path: Path) -> None:
    (tmp_path / "madang.toml").write_text("[stores]\ndir = '.'\n")
    refused = Installation(tmp_path, 0).run("serve")
    assert refused.returncode == 78
    assert "madang init" in refused.stderr
    assert "--insecure-dev" in refused.stderr


def test_a_taken_port_is_told_in_one_line(
    template: Installation, tmp_path: Path, home: Installation, server: subprocess.Popen[bytes]
) -> None:
    other = copied(template, tmp_path / "city")
    text = other.config.read_text().replace(f"port = {other.port}", f"port = {home.port}", 1)
    other.config.write_text(text)
    refused = other.run("serve")
    assert refused.returncode == 78
    lines = [line for line in refused.stderr.splitlines() if "cannot listen" in line]
    assert len(lines) == 1
    assert str(home.port) in lines[0]


def test_a_store_of_a_newer_release_is_refused_and_left_alone(template: Installation, tmp_path: Path) -> None:
    home = copied(template, tmp_path / "city")
    with closing(sqlite3.connect(home.directory / "civic.sqlite3")) as store, store:
        store.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('response', '9999_later', '2030-01-01')"
        )
    before = (home.directory / "civic.sqlite3").read_bytes()
    for command in (["serve"], ["account", "list"]):
        refused = home.run(*command)
        assert refused.returncode == 78
        line = [text for text in refused.stderr.splitlines() if "newer release" in text]
        assert len(line) == 1
        assert "response.9999_later" in line[0]
    assert (home.directory / "civic.sqlite3").read_bytes() == before


def test_core_speaks_tls_by_itself_where_a_certificate_is_given(template: Installation, tmp_path: Path) -> None:
    home = copied(template, tmp_path / "city")
    authority = self_signed(home.directory)
    text = home.config.read_text()
    home.config.write_text(text.replace("[server]", '[server]\ntls_certificate = "tls.pem"\ntls_key = "tls.key"', 1))
    command = home.command("serve", "--role", "core")
    url = f"https://localhost:{home.port}"
    with httpx.Client(verify=ssl.create_default_context(cafile=authority), timeout=60) as client:
        process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
        try:
            until(lambda: accepts(home.port), 60)
            page = client.get(f"{url}/office/login/")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert "strict-transport-security" in page.headers
    assert "Secure" in next(value for value in page.headers.get_list("set-cookie") if value.startswith("csrftoken"))


def self_signed(directory: Path) -> Path:
    """A certificate for localhost that vouches for itself, with its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (directory / "tls.key").write_bytes(pem)
    (directory / "tls.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return directory / "tls.pem"
