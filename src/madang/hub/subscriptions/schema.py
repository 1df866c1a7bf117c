"""The tables of this room, on every store.

`subscription.body` is empty once it is deleted: the row stays, so that other processes hear of it by its revision.
`notification` holds what was matched and is still to be delivered (or is parked), in feed order per subscription.
"""

from __future__ import annotations

from madang.hub.tables import script

_TABLES = """
CREATE TABLE subscription (
    number {integer} PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL, revision {integer} NOT NULL,
    created_ms {integer} NOT NULL, modified_ms {integer} NOT NULL, body {blob}, UNIQUE (tenant, id)){strict};
CREATE INDEX subscription_by_revision ON subscription (tenant, revision);
CREATE TABLE subscription_revision (tenant TEXT PRIMARY KEY, revision {integer} NOT NULL){strict};
CREATE TABLE subscription_state (
    number {integer} PRIMARY KEY, due_ms {integer}, quiet_until_ms {integer} NOT NULL,
    sent {integer} NOT NULL, failed {integer} NOT NULL, dropped {integer} NOT NULL,
    notified_ms {integer}, success_ms {integer}, failure_ms {integer}, reason TEXT){strict};
CREATE TABLE notification (
    subscription {integer} NOT NULL, seq {integer} NOT NULL, id TEXT NOT NULL, at_ms {integer} NOT NULL,
    attempts {integer} NOT NULL, parked_ms {integer}, reason TEXT, material {blob} NOT NULL,
    PRIMARY KEY (subscription, seq)){strict};
CREATE INDEX notification_parked ON notification (subscription) WHERE parked_ms IS NOT NULL;
"""


def tables(dialect: str) -> str:
    """The DDL for `sqlite` or `postgresql`."""
    return script(_TABLES, dialect)
