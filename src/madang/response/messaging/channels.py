"""What a channel is, and which there are: small adapters, registered by the connectors that speak to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from madang.kernel.errors import MadangError
from madang.kernel.mode import Mode


class UnsureError(MadangError):
    """The message may or may not have gone out, and the receiver cannot be asked: a person is shown that."""

    code = "unsure"
    status = 502
    title = "It is not known whether the message went out"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a channel is asked to send. `key` is the same on every repetition of the same try.

    `address` is what the recipient's row says for this channel (a phone number, a mailbox, a loudspeaker group):
    personal data, never to be logged. `text` says by itself when it is an exercise or simulated.
    """

    key: str
    address: str
    subject: str
    text: str
    mode: Mode


class Channel(Protocol):
    """One way to reach people.

    `send` returns the provider's number of the message, or "". It raises `TemporaryError` when certainly nothing went
    out and it may be tried again, `PermanentError` when it never will, `UnsureError` when nobody can tell. It takes ten
    seconds at most. `idempotent` says that the receiver takes the same key once only.
    """

    @property
    def name(self) -> str: ...
    @property
    def ko(self) -> str: ...
    @property
    def en(self) -> str: ...
    @property
    def idempotent(self) -> bool: ...
    @property
    def modes(self) -> frozenset[Mode]:
        """The modes whose messages it takes: simulated ones never go over a live channel."""

    def send(self, outgoing: Outgoing) -> str: ...


CHANNELS: dict[str, Channel] = {}


def register(channel: Channel) -> None:
    """Makes a channel known; the same name again replaces it."""
    CHANNELS[channel.name] = channel


def usable(name: str, mode: Mode) -> bool:
    """Whether a channel of that name is there and takes messages of that mode."""
    channel = CHANNELS.get(name)
    return channel is not None and mode in channel.modes
