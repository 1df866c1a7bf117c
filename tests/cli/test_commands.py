"""The `madang` command: every deed leaves a trace, every error is one clear line."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from madang.cli.command import COMMANDS, run
from madang.site.keys import new_private_pem, public_pem
from madang.site.setup import initialise
from tests.cli.running import run_all
from tests.site.serving import Installation, copied, environment


def test_help_names_every_command_and_loads_none(capsys: pytest.CaptureFixture[str]) -> None:
    script = "import sys; from madang.cli.command import run; run(['--help'], debug=False); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment())
    text, modules = done.stdout.rsplit("\n[", 1)
    assert all(f"\n  {name} " in text for name in COMMANDS)
    for heavy in ("django", "numpy", "shapely", "uvicorn", "rich", "msgspec"):
        assert f"'{heavy}'" not in modules, f"--help loads {heavy}"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"], debug=False) == 0
    assert "Usage: madang" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["frobnicate"], 2, "No such command"),
        (["serve", "--role", "kitchen"], 2, "kitchen"),
        (["--config", "/nowhere/madang.toml", "config", "check"], 78, "there is no such file"),
        (["token", "create", "x", "--kind", "api"], 2, "would open nothing"),
        (["account", "city", "1", "x", "--lon", "35.2", "--lat", "128.8"], 2, "swapped"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    arguments: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MADANG_CONFIG", raising=False)
    assert run(arguments, debug=False) == code
    told = [line for line in capsys.readouterr().err.splitlines() if said in line]
    assert len(told) == 1
    assert not any("Traceback" in line for line in told)


def test_debug_shows_the_trace(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "madang.cli", "--config", str(tmp_path / "no.toml"), "--debug", "config", "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert "Traceback" in done.stderr
    assert done.returncode == 1


def test_config_check_and_show_never_show_a_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = initialise(tmp_path)
    secret = (tmp_path / "keys" / "media.key").read_text()
    assert run(["config", "check", str(path)], debug=False) == 0
    assert run(["config", "show", str(path)], debug=False) == 0
    shown = capsys.readouterr().out
    assert "good" in shown
    assert secret not in shown
    assert "media.key" in shown, "where it comes from is shown"
    for section in ("[server]", "[video]", "[hub]", "[mqtt]"):
        assert section in shown


def test_commands_refuse_to_write_with_keys_that_would_be_forgotten(tmp_path: Path) -> None:
    (tmp_path / "madang.toml").write_text("")
    (done,) = run_all(Installation(tmp_path, 0), "account list")
    assert done.code == 78
    assert "madang init" in done.err


@pytest.fixture
def home(template: Installation, tmp_path: Path) -> Installation:
    return copied(template, tmp_path / "city")


def test_an_endpoint_the_configuration_closes_is_warned_of_when_the_agency_is_added(home: Installation) -> None:
    made = run_all(
        home,
        "agency add far-police 먼경찰 --kind police --endpoint https://112.far.example/in",
        "agency add near-police 가까운경찰 --kind police --endpoint http://127.0.0.1:8100/in --mode simulated",
    )
    assert [done.code for done in made] == [0, 0]
    assert "[linkages.police112] endpoints" in made[0].err
    assert made[1].err == ""


def test_accounts_agencies_and_tokens_are_made_and_every_deed_is_audited(home: Installation) -> None:
    key = home.directory / "police.pem"
    key.write_bytes(public_pem(new_private_pem()))
    made = run_all(
        home,
        ("account create lee --role supervisor --name 이책임", "another long secret\n"),
        ("account create weak --role operator", "12345678901\n"),
        ("account create lee --role operator", "another long secret\n"),
        "agency add gimhae-police 김해경찰 --kind police --mode simulated",
        f"agency key-add gimhae-police k1 {key} --days 30",
        f"agency key-add gimhae-police k1 {key}",
        f"agency key-add gimhae-police k2 {home.directory / 'keys' / 'lease.pem'}",
        "agency list",
        "agency key-revoke k1",
        "token create station-7 --kind device --write AirQualityObserved --days 90",
        "token create forever --kind device --write T --days 9999",
        "account list",
        "audit verify",
        "audit export -",
        "token create bells --kind device",
    )
    assert [done.code for done in made] == [0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0]
    assert "too weak" in made[1].err
    assert "already" in made[2].err
    assert "never replaced" in made[5].err
    assert "private key" in made[6].err
    assert "k1" in made[7].out
    token = made[9].out.strip()
    assert token.startswith("mdg_")
    assert "lee" in made[11].out
    assert "weak" not in made[11].out
    deeds = [json.loads(line)["action"] for line in made[13].out.splitlines()]
    assert deeds[-5:] == ["person.added", "agency.added", "agency_key.added", "agency_key.revoked", "token.issued"]
    assert token.split("_", 2)[2] not in (home.directory / "civic.sqlite3").read_bytes().decode("latin-1")


def test_a_tampered_audit_row_is_named(home: Installation) -> None:
    with closing(sqlite3.connect(home.directory / "civic.sqlite3")) as store, store:
        store.execute("UPDATE journal_audit SET actor = 'person:somebody-else' WHERE seq = 2")
    (done,) = run_all(home, "audit verify")
    assert done.code == 1
    assert "48250 row 2" in done.err


CCTV = (
    "관리기관명,소재지도로명주소,소재지지번주소,설치목적구분,카메라대수,카메라화소수,촬영방면정보,보관일수,설치년월,"
    "관리기관전화번호,위도,경도,데이터기준일자\n"
    "김해시,경상남도 김해시 가락로 1,,생활방범,2,200,,30,2020-01,055-000-0000,35.2300,128.8800,2026-01-01\n"
    "김해시,경상남도 김해시 가락로 9,,교통단속,1,200,,30,2020-01,055-000-0000,35.2310,128.8810,2026-01-01\n"
)


def test_a_citys_file_is_taken_once_however_often_it_is_read_and_a_wrong_one_is_refused(home: Installation) -> None:
    file, wrong = home.directory / "cctv.csv", home.directory / "minutes.csv"
    file.write_text(CCTV, encoding="cp949")
    wrong.write_text("회의록\n오늘은 비가 왔다\n", encoding="utf-8")
    first, second, cctv, boundaries = run_all(
        home, f"import cctv {file}", f"import cctv {file}", f"import cctv {wrong}", f"import boundaries {wrong}"
    )
    assert (first.code, second.code) == (0, 0), first.err + second.err
    with closing(sqlite3.connect(home.directory / "civic.sqlite3")) as store:
        assert store.execute("SELECT count(*) FROM video_site").fetchone() == (2,)
        assert store.execute("SELECT count(*) FROM video_camera WHERE active").fetchone() == (3,)
    assert cctv.code == boundaries.code == 1
    assert "minutes.csv was refused" in cctv.err
    assert "GeoJSON" in boundaries.err


def test_the_key_an_installation_shows_agencies_is_its_own(home: Installation) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    (done,) = run_all(home, "audit checkpoints")
    pem = done.out[: done.out.index("-----END PUBLIC KEY-----") + 24]
    shown = load_pem_public_key(pem.encode())
    assert isinstance(shown, ec.EllipticCurvePublicKey)
    assert pem.encode() + b"\n" == public_pem((home.directory / "keys" / "checkpoint.pem").read_bytes())


def test_what_commands_make_is_for_the_platforms_account_alone(tmp_path: Path) -> None:
    initialise(tmp_path / "city")
    home = Installation(tmp_path / "city", 0)
    (done,) = run_all(home, "account city 48250 김해시 --lon 128.889 --lat 35.228")
    assert done.code == 0, done.err
    made = [path for path in home.directory.rglob("*") if path.is_file() and path.name.startswith("civic")]
    assert made
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []
