"""The journal's tables as the back office lists them.

`schema.py` is the measure; nothing on the journal's path uses these classes.
"""

from __future__ import annotations

from django.db import models

_OPEN = models.Q(state__in=["waiting", "parked", "dead"])
_DEAD = models.Q(state="dead")
_WAITING = models.Q(state="waiting")


class Arrival(models.Model):
    """A message from outside, accepted once."""

    seq = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=100)
    message_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=100)
    key = models.CharField(max_length=200)
    body = models.BinaryField()
    body_digest = models.CharField(max_length=64)
    emptied = models.BooleanField()
    authority = models.CharField(max_length=40)
    mode = models.CharField(max_length=10)
    received_at = models.CharField(max_length=24)
    ending = models.BooleanField()
    state = models.CharField(max_length=10)
    attempts = models.BigIntegerField()
    next_at = models.CharField(max_length=24)
    last_error = models.TextField()
    finished_at = models.CharField(max_length=24, null=True)

    class Meta:
        db_table = "journal_inbox"
        verbose_name = "받은 메시지 (arrival)"
        verbose_name_plural = "받은 메시지 (arrivals)"
        constraints = [models.UniqueConstraint(fields=["source", "message_id"], name="journal_inbox_message")]
        indexes = [
            models.Index(fields=["source", "key", "seq"], name="journal_inbox_open", condition=_OPEN),
            models.Index(fields=["next_at"], name="journal_inbox_due", condition=_WAITING),
            models.Index(fields=["seq"], name="journal_inbox_dead", condition=_DEAD),
            models.Index(fields=["received_at"], name="journal_inbox_received"),
            models.Index(fields=["received_at"], name="journal_inbox_body", condition=models.Q(emptied=False)),
        ]

    def __str__(self) -> str:
        return self.message_id


class Nonce(models.Model):
    """A nonce of a signed request that was used."""

    seq = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=100)
    nonce = models.CharField(max_length=200)
    expires_at = models.CharField(max_length=24)

    class Meta:
        db_table = "journal_nonce"
        verbose_name = "사용된 논스 (nonce)"
        verbose_name_plural = "사용된 논스 (nonces)"
        constraints = [models.UniqueConstraint(fields=["source", "nonce"], name="journal_nonce_once")]
        indexes = [
            models.Index(fields=["expires_at"], name="journal_nonce_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.nonce}"


class Announcement(models.Model):
    """Something the platform announced."""

    seq = models.BigAutoField(primary_key=True)
    message_id = models.CharField(max_length=36)
    topic = models.CharField(max_length=100)
    key = models.CharField(max_length=200)
    subject = models.CharField(max_length=300)
    body = models.TextField()
    authority = models.CharField(max_length=40)
    mode = models.CharField(max_length=10)
    announced_at = models.CharField(max_length=24)
    ending = models.BooleanField()
    pending = models.BooleanField()

    class Meta:
        db_table = "journal_outbox"
        verbose_name = "알림 (announcement)"
        verbose_name_plural = "알림 (announcements)"
        constraints = [models.UniqueConstraint(fields=["message_id"], name="journal_outbox_message")]
        indexes = [
            models.Index(fields=["seq"], name="journal_outbox_pending", condition=models.Q(pending=True)),
            models.Index(fields=["announced_at"], name="journal_outbox_announced"),
        ]

    def __str__(self) -> str:
        return self.message_id


class Delivery(models.Model):
    """One announcement on its way to one subscriber."""

    seq = models.BigAutoField(primary_key=True)
    outbox_seq = models.BigIntegerField()
    subscriber = models.CharField(max_length=100)
    key = models.CharField(max_length=200)
    subject = models.CharField(max_length=300)
    wire = models.BinaryField(null=True)
    overtaken = models.BooleanField()
    ending = models.BooleanField()
    state = models.CharField(max_length=10)
    attempts = models.BigIntegerField()
    next_at = models.CharField(max_length=24)
    last_error = models.TextField()
    finished_at = models.CharField(max_length=24, null=True)

    class Meta:
        db_table = "journal_delivery"
        verbose_name = "전달 (delivery)"
        verbose_name_plural = "전달 (deliveries)"
        constraints = [models.UniqueConstraint(fields=["outbox_seq", "subscriber"], name="journal_delivery_once")]
        indexes = [
            models.Index(fields=["subscriber", "key", "seq"], name="journal_delivery_open", condition=_OPEN),
            models.Index(fields=["subscriber", "next_at"], name="journal_delivery_due", condition=_WAITING),
            models.Index(fields=["seq"], name="journal_delivery_dead", condition=_DEAD),
        ]

    def __str__(self) -> str:
        return f"{self.subscriber} {self.outbox_seq}"


class Timer(models.Model):
    """A timer, set or fired."""

    seq = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=100)
    key = models.CharField(max_length=200)
    due_at = models.CharField(max_length=24)
    authority = models.CharField(max_length=40)
    mode = models.CharField(max_length=10)
    body = models.TextField()
    state = models.CharField(max_length=10)
    attempts = models.BigIntegerField()
    next_at = models.CharField(max_length=24)
    last_error = models.TextField()
    finished_at = models.CharField(max_length=24, null=True)

    class Meta:
        db_table = "journal_timer"
        verbose_name = "타이머 (timer)"
        verbose_name_plural = "타이머 (timers)"
        constraints = [models.UniqueConstraint(fields=["kind", "key"], name="journal_timer_once")]
        indexes = [
            models.Index(fields=["next_at"], name="journal_timer_due", condition=_WAITING),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Change(models.Model):
    """An entry of the change feed."""

    seq = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=40)
    ref = models.CharField(max_length=200)
    authority = models.CharField(max_length=40)
    at = models.CharField(max_length=24)

    class Meta:
        db_table = "journal_change"
        verbose_name = "변경 (change)"
        verbose_name_plural = "변경 (changes)"
        indexes = [
            models.Index(fields=["at"], name="journal_change_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"


class Lease(models.Model):
    """Who relays, and until when."""

    name = models.CharField(primary_key=True, max_length=40)
    holder = models.CharField(max_length=200)
    until = models.CharField(max_length=24)

    class Meta:
        db_table = "journal_lease"
        verbose_name = "임대 (lease)"
        verbose_name_plural = "임대 (leases)"

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"


class Alarm(models.Model):
    """A conflict a person must see."""

    seq = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=40)
    authority = models.CharField(max_length=40)
    mode = models.CharField(max_length=10)
    source = models.CharField(max_length=100)
    message_id = models.CharField(max_length=200)
    first_digest = models.CharField(max_length=64)
    second_digest = models.CharField(max_length=64)
    first_at = models.CharField(max_length=24)
    last_at = models.CharField(max_length=24)
    times = models.BigIntegerField()
    seen_by = models.CharField(max_length=100)
    seen_at = models.CharField(max_length=24, null=True)

    class Meta:
        db_table = "journal_alarm"
        verbose_name = "경보 (alarm)"
        verbose_name_plural = "경보 (alarms)"
        constraints = [
            models.UniqueConstraint(fields=["kind", "source", "message_id", "second_digest"], name="journal_alarm_once")
        ]
        indexes = [
            models.Index(
                fields=["authority", "seq"], name="journal_alarm_open", condition=models.Q(seen_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.message_id


class AuditRow(models.Model):
    """One link of an audit chain."""

    id = models.BigAutoField(primary_key=True)
    stream = models.CharField(max_length=40)
    seq = models.BigIntegerField()
    at = models.CharField(max_length=24)
    actor = models.CharField(max_length=100)
    action = models.CharField(max_length=100)
    thing = models.CharField(max_length=200)
    basis = models.CharField(max_length=200)
    mode = models.CharField(max_length=10)
    retention = models.CharField(max_length=40)
    digest = models.CharField(max_length=64)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        db_table = "journal_audit"
        verbose_name = "감사 기록 (audit row)"
        verbose_name_plural = "감사 기록 (audit rows)"
        constraints = [models.UniqueConstraint(fields=["stream", "seq"], name="journal_audit_once")]
        indexes = [
            models.Index(fields=["stream", "at"], name="journal_audit_at"),
            models.Index(fields=["stream", "thing"], name="journal_audit_thing"),
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.seq}"


class AuditBlob(models.Model):
    """The sealed, erasable body of an audit row."""

    id = models.BigAutoField(primary_key=True)
    stream = models.CharField(max_length=40)
    seq = models.BigIntegerField()
    retention = models.CharField(max_length=40)
    at = models.CharField(max_length=24)
    sealed = models.BinaryField(null=True)
    erased_at = models.CharField(max_length=24, null=True)
    erased_by = models.CharField(max_length=100)
    erased_reason = models.TextField()
    erasure_seq = models.BigIntegerField(null=True)

    class Meta:
        db_table = "journal_audit_blob"
        verbose_name = "감사 본문 (audit body)"
        verbose_name_plural = "감사 본문 (audit bodies)"
        constraints = [models.UniqueConstraint(fields=["stream", "seq"], name="journal_audit_blob_once")]
        indexes = [
            models.Index(
                fields=["retention", "at"], name="journal_audit_blob_due", condition=models.Q(sealed__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.seq}"


class Retention(models.Model):
    """How long each kind of record is kept."""

    kind = models.CharField(primary_key=True, max_length=40)
    days = models.BigIntegerField()
    label_ko = models.CharField(max_length=100)
    label_en = models.CharField(max_length=100)
    basis_ko = models.TextField()
    basis_en = models.TextField()

    class Meta:
        db_table = "journal_retention"
        verbose_name = "보존 기간 (retention)"
        verbose_name_plural = "보존 기간 (retentions)"

    def __str__(self) -> str:
        return f"{self.label_ko} ({self.days}일)"
