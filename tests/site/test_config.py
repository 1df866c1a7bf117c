"""One file, read strictly: every mistake is told by its name, and no secret is ever shown."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.kernel.errors import ConfigError, ConflictError
from madang.kernel.secret import Secret
from madang.site.config import CONFIG_ENV, INSECURE_KEYS_ENV, ROOM_SECTIONS, Config, load
from madang.site.keys import keyring_from, write_keys
from madang.site.setup import initialise


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONFIG_ENV, raising=False)
    monkeypatch.delenv(INSECURE_KEYS_ENV, raising=False)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "madang.toml"


def read(path: Path, text: str) -> Config:
    path.write_text(text, encoding="utf-8")
    return load(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[sever]\nport = 1", ["[sever]", "did you mean 'server'"]),
        ("[server]\nprot = 1", ["'prot'", "[server]", "did you mean 'port'"]),
        ("[identity]\nlockout_faliures = 1", ["'lockout_faliures'", "[identity]", "lockout_failures"]),
        ("debug = true", ["[debug]"]),
        ("[linkages.police]\n", ["[linkages.police]", "police112"]),
        ("[linkages.police112]\nheartbeet_s = 1", ["'heartbeet_s'", "[linkages.police112]", "heartbeat_s"]),
        ("[server]\nport = 'x'", ["[server.port]", "int", "str"]),
        ("[server]\nallowed_hosts = [1]", ["[server.allowed_hosts"]),
        ("[identity]\nlockout_by = 'mood'", ["[identity.lockout_by]", "mood"]),
        ("[[mqtt.topics]]\ntopic='a'\nauthority='1'\ntypo=1", ["'typo'", "[mqtt.topics[0]]"]),
        ("[hub.readings.air]\ntype='T'\nid='x'\nattributes={}\nunits={}", ["'units'", "[hub.readings.air]"]),
        ("server = 3", ["[server]"]),
        ("[server", ["not TOML"]),
    ],
)
def test_a_mistake_is_told_by_its_name_and_its_file(written: Path, text: str, named: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(written, text)
    told = str(caught.value)
    assert "\n" not in told
    assert str(written) in told
    assert all(name in told for name in named), told


def test_every_unknown_name_is_told_at_once(written: Path) -> None:
    with pytest.raises(ConfigError, match=r"'prot'.*\[mqqt\]"):
        read(written, "[server]\nprot = 1\n[mqqt]\n")


def test_a_missing_file_says_what_writes_one(written: Path) -> None:
    with pytest.raises(ConfigError, match="madang init"):
        load(written)


@pytest.mark.parametrize("section", sorted({"server", "stores", "outward", "keys", *ROOM_SECTIONS}))
def test_every_section_can_be_left_out_and_can_be_empty(written: Path, section: str) -> None:
    assert read(written, f"[{section}]\n").server == read(written, "").server


@given(st.text(alphabet=st.characters(categories=["L", "N"], max_codepoint=127), min_size=1, max_size=20))
def test_no_unheard_of_key_is_ever_taken(name: str) -> None:
    from madang.site.config import ServerConfig, from_mapping

    if name in ServerConfig.__struct_fields__:
        return
    with pytest.raises(ConfigError, match="unknown key"):
        from_mapping({"server": {name: 1}}, source=None, base=Path("/"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("'hunter2'", "never as plain text"),
        ("{ env = 'MADANG_TEST_UNSET' }", "MADANG_TEST_UNSET is not set"),
        ("{ file = 'nowhere.key' }", "nowhere.key cannot be read"),
        ("{ vault = 'x' }", "not { vault"),
        ("{ env = 'A', file = 'b' }", "never as plain text"),
        ("{}", "never as plain text"),
    ],
)
def test_a_secret_is_only_taken_from_the_environment_or_a_file(written: Path, value: str, said: str) -> None:
    for place in ("[server]\nmetrics_token", "[mqtt]\npassword"):
        with pytest.raises(ConfigError, match=said) as caught:
            read(written, f"{place} = {value}")
        assert "hunter2" not in str(caught.value)
        assert place.rpartition("\n")[2] in str(caught.value)


def test_a_secret_never_shows_itself(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADANG_TEST_TOKEN", "hunter2")
    config = read(written, "[server]\nmetrics_token = { env = 'MADANG_TEST_TOKEN' }")
    assert config.server.metrics_token.reveal() == "hunter2"
    assert "hunter2" not in repr(config) + str(config.server) + f"{config.server.metrics_token}"
    assert "MADANG_TEST_TOKEN" in repr(config.server)


def test_a_secret_file_is_found_beside_the_configuration(written: Path) -> None:
    (written.parent / "token").write_text("s3cret\n")
    assert read(written, "[server]\nmetrics_token = { file = 'token' }").server.metrics_token == Secret("s3cret")


def test_keys_are_given_all_or_not_at_all(written: Path, tmp_path: Path) -> None:
    write_keys(tmp_path / "keys")
    with pytest.raises(ConfigError, match=r"\[keys\] lacks .*lease"):
        read(written, "[keys]\naudit = { file = 'keys/audit.key' }")


def test_a_key_of_the_wrong_kind_is_told_by_name(tmp_path: Path) -> None:
    path = initialise(tmp_path)
    (tmp_path / "keys" / "lease.pem").write_text("not a key")
    with pytest.raises(ConfigError, match=r"\[keys.lease\]"):
        keyring_from(load(path).keys)
    (tmp_path / "keys" / "audit.key").write_text("abcd")
    with pytest.raises(ConfigError, match=r"\[keys.audit\].*64 hexadecimal"):
        load(path)


def test_a_new_installation_has_keys_of_its_own_that_only_its_owner_reads(tmp_path: Path) -> None:
    first, second = initialise(tmp_path / "a"), initialise(tmp_path / "b")
    rings = [keyring_from(load(path).keys) for path in (first, second)]
    assert rings[0].audit_key != rings[1].audit_key
    assert rings[0].lease_private_pem != rings[0].checkpoint_private_pem
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "keys").iterdir()}
    assert modes == {0o600}


def test_an_installation_is_never_written_over(tmp_path: Path) -> None:
    path = initialise(tmp_path)
    before = path.read_bytes()
    with pytest.raises(ConflictError, match="exists already"):
        initialise(tmp_path)
    assert path.read_bytes() == before


def test_what_one_section_says_reaches_the_rooms_that_need_it(written: Path) -> None:
    config = read(written, "[server]\nport = 9090\n[stores]\ndir = 'state'\n[outward]\nallow = ['10.1.0.0/16']\n")
    state = written.parent / "state"
    assert config.civic_path == state / "civic.sqlite3"
    assert config.hub_path == state / "hub.sqlite3"
    rooms = {name: msgspec.structs.asdict(body) for name, body in config.rooms.items()}
    assert rooms["video"]["core_link_url"] == "ws://127.0.0.1:9090/internal/media/link"
    assert rooms["hub"]["outward_allow"] == ("10.1.0.0/16",)
    assert rooms["journal"]["checkpoint_file"] == state / "audit-checkpoints.jsonl"


def test_what_a_room_says_itself_goes_before_what_follows_from_others(written: Path) -> None:
    config = read(written, "[video]\ncore_link_url = 'ws://core.internal:1/x'\n")
    assert msgspec.structs.asdict(config.rooms["video"])["core_link_url"] == "ws://core.internal:1/x"


def test_the_hub_lies_where_the_file_says_wherever_a_command_is_started(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read(written, '[hub]\nstore = "data/city.sqlite3"\nhistory = "old/city"\n')
    monkeypatch.chdir("/")
    hub = config.rooms["hub"]
    assert (getattr(hub, "store", ""), getattr(hub, "history", "")) == (
        str(tmp_path / "data" / "city.sqlite3"),
        str(tmp_path / "old" / "city"),
    )
    assert (config.hub_path, config.history_path) == (tmp_path / "data" / "city.sqlite3", tmp_path / "old" / "city")
    address = "postgresql://hub@db.example/city"
    served = read(written, f'[hub]\nstore = "{address}"\n')
    assert served.hub_address == address
    assert served.history_path.is_absolute()
