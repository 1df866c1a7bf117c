"""Where messages may go, and what the answers to them mean."""

from __future__ import annotations

import threading
from datetime import timedelta
from email.utils import format_datetime

import pytest
from pytest_django.fixtures import Settings

from madang.identity.models import Agency
from madang.kernel.clock import system_clock
from madang.kernel.errors import ConfigError, MadangError, PermanentError, TemporaryError
from madang.linkages.police112 import sending, workers
from madang.linkages.police112.config import Police112Config, police112_config
from madang.linkages.police112.models import LinkState
from madang.linkages.police112.queries import links
from madang.places import boundaries
from tests.linkages.police112.agency import Mailbox
from tests.linkages.police112.test_contract_page import validator

LISTED = Police112Config(endpoints=("https://112.police.example/in", "http://10.1.2.3:8100/"))


@pytest.mark.parametrize(
    "url",
    ["https://112.police.example/in", "https://112.police.example/in/box", "http://10.1.2.3:8100/anything?x=1"],
)
def test_listed_endpoints_may_be_called(url: str) -> None:
    sending.check_endpoint(url, LISTED)


@pytest.mark.parametrize(
    "url",
    [
        "https://112.police.example/inbox",
        "https://112.police.example/in/../admin",
        "https://112.police.example:444/in",
        "http://112.police.example/in",
        "https://112.police.example.evil.example/in",
        "https://user:pass@112.police.example/in",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:8080/",
        "file:///etc/passwd",
        "",
    ],
)
def test_anything_else_is_not_called(url: str) -> None:
    with pytest.raises(PermanentError):
        sending.check_endpoint(url, LISTED)


def test_without_a_list_only_loopback_may_be_called() -> None:
    sending.check_endpoint("http://127.0.0.1:8100/in", Police112Config())
    sending.check_endpoint("http://[::1]:8100/in", Police112Config())
    with pytest.raises(PermanentError):
        sending.check_endpoint("http://10.0.0.1/in", Police112Config())


@pytest.mark.parametrize(
    ("text", "delay_s"), [("7", 7.0), ("999999999999", 3600.0), ("soon", None), ("", None), ("-5", None)]
)
def test_retry_after_is_honoured_up_to_an_hour(text: str, delay_s: float | None) -> None:
    with pytest.raises(TemporaryError) as told:
        sending._judge(503, "", {"retry-after": text})
    assert told.value.delay_s == delay_s


def test_retry_after_may_be_a_date() -> None:
    with pytest.raises(TemporaryError) as told:
        sending._judge(429, "", {"retry-after": format_datetime(system_clock() + timedelta(seconds=100))})
    assert told.value.delay_s is not None
    assert 90 < told.value.delay_s <= 100


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, PermanentError), (404, PermanentError), (422, PermanentError), (409, TemporaryError), (302, TemporaryError)],
)
def test_refusals_are_final_and_everything_else_may_pass(status: int, kind: type[MadangError]) -> None:
    with pytest.raises(kind):
        sending._judge(status, "", {})


def test_heartbeats_go_out_signed_and_follow_the_schema(agency: Agency, mailbox: Mailbox) -> None:
    workers.beat_once()
    beat = mailbox.messages("Heartbeat")[0]
    validator("Heartbeat").validate(beat)
    assert (beat["from"], beat["to"], beat["dialogue_id"]) == (agency.authority_id, agency.code, "heartbeat")
    assert LinkState.objects.get().last_error == ""


def test_an_agency_that_does_not_answer_is_noted_and_shown(agency: Agency, mailbox: Mailbox) -> None:
    mailbox.close()
    workers.beat_once()
    row = links(agency.authority_id)[0]
    assert row["state"] == "never"
    assert "Connect" in row["last_error"]


def test_the_heartbeat_worker_ends_when_told(db: None) -> None:
    stop = threading.Event()
    stop.set()
    workers.send_heartbeats(stop)


def test_what_the_first_call_needs_is_ready_before_it_comes(agency: Agency) -> None:
    sending._client.cache_clear()
    boundaries._indexes.pop(agency.authority_id, None)
    workers._warm()
    assert sending._client.cache_info().currsize == 1
    assert agency.authority_id in boundaries._indexes


def test_a_wrong_section_is_refused_by_name(settings: Settings) -> None:
    settings.MADANG_LINKAGES = {"police112": {"windows_s": 5}}
    with pytest.raises(ConfigError, match="windows_s"):
        police112_config()
