"""The journal's tables and the retention kinds."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from madang.journal.retention import SEED


def seed_retention(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rows = apps.get_model("journal", "Retention").objects.using(schema_editor.connection.alias)
    for kind in SEED:
        rows.get_or_create(
            kind=kind.kind,
            defaults={
                "days": kind.days,
                "label_ko": kind.label_ko,
                "label_en": kind.label_en,
                "basis_ko": kind.basis_ko,
                "basis_en": kind.basis_en,
            },
        )


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("holder", models.CharField(max_length=200)),
                ("until", models.CharField(max_length=24)),
            ],
            options={
                "verbose_name": "임대 (lease)",
                "verbose_name_plural": "임대 (leases)",
                "db_table": "journal_lease",
            },
        ),
        migrations.CreateModel(
            name="Retention",
            fields=[
                ("kind", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("days", models.BigIntegerField()),
                ("label_ko", models.CharField(max_length=100)),
                ("label_en", models.CharField(max_length=100)),
                ("basis_ko", models.TextField()),
                ("basis_en", models.TextField()),
            ],
            options={
                "verbose_name": "보존 기간 (retention)",
                "verbose_name_plural": "보존 기간 (retentions)",
                "db_table": "journal_retention",
            },
        ),
        migrations.CreateModel(
            name="Alarm",
            fields=[
                ("seq", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=40)),
                ("authority", models.CharField(max_length=40)),
                ("mode", models.CharField(max_length=10)),
                ("source", models.CharField(max_length=100)),
                ("message_id", models.CharField(max_length=200)),
                ("first_digest", models.CharField(max_length=64)),
                ("second_digest", models.CharField(max_length=64)),
                ("first_at", models.CharField(max_length=24)),
                ("last_at", models.CharField(max_length=24)),
                ("times", models.BigIntegerField()),
                ("seen_by", models.CharField(max_length=100)),
                ("seen_at", models.CharField(max_length=24, null=True)),
            ],
            options={
                "verbose_name": "경보 (alarm)",
                "verbose_name_plural": "경보 (alarms)",
                "db_table": "journal_alarm",
                "indexes": [
                    models.Index(
                        condition=models.Q(("seen_at__isnull", True)),
                        fields=["authority", "seq"],
                        name="journal_alarm_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "source", "message_id", "second_digest"), name="journal_alarm_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Announcement",
            fields=[
                ("seq", models.BigAutoField(primary_key=True, serialize=False)),
                ("message_id", models.CharField(max_length=36)),
                ("topic", models.CharField(max_length=100)),
                ("key", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=300)),
                ("body", models.TextField()),
                ("authority", models.CharField(max_length=40)),
                ("mode", models.CharField(max_length=10)),
                ("announced_at", models.CharField(max_length=24)),
                ("ending", models.BooleanField()),
                ("pending", models.BooleanField()),
            ],
            options={
                "verbose_name": "알림 (announcement)",
                "verbose_name_plural": "알림 (announcements)",
                "db_table": "journal_outbox",
                "indexes": [
                    models.Index(condition=models.Q(("pending", True)), fields=["seq"], name="journal_outbox_pending"),
                    models.Index(fields=["announced_at"], name="journal_outbox_announced"),
                ],
                "constraints": [models.UniqueConstraint(fields=("message_id",), name="journal_outbox_message")],
            },
        ),
        migrations.CreateModel(
            name="Arrival",
            fields=[
                ("seq", models.BigAutoField(primary_key=True, serialize=False)),
                ("source", models.CharField(max_length=100)),
                ("message_id", models.CharField(max_length=200)),
                ("kind", models.CharField(max_length=100)),
                ("key", models.CharField(max_length=200)),
                ("body", models.BinaryField()),
                ("body_digest", models.CharField(max_length=64)),
                ("emptied", models.BooleanField()),
                ("authority", models.CharField(max_length=40)),
                ("mode", models.CharField(max_length=10)),
                ("received_at", models.CharField(max_length=24)),
                ("ending", models.BooleanField()),
                ("state", models.CharField(max_length=10)),
                ("attempts", models.BigIntegerField()),
                ("next_at", models.CharField(max_length=24)),
                ("last_error", models.TextField()),
                ("finished_at", models.CharField(max_length=24, null=True)),
            ],
            options={
                "verbose_name": "받은 메시지 (arrival)",
                "verbose_name_plural": "받은 메시지 (arrivals)",
                "db_table": "journal_inbox",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["waiting", "parked", "dead"])),
                        fields=["source", "key", "seq"],
                        name="journal_inbox_open",
                    ),
                    models.Index(
                        condition=models.Q(("state", "waiting")), fields=["next_at"], name="journal_inbox_due"
                    ),
                    models.Index(condition=models.Q(("state", "dead")), fields=["seq"], name="journal_inbox_dead"),
                    models.Index(fields=["received_at"], name="journal_inbox_received"),
                    models.Index(
                        condition=models.Q(("emptied", False)), fields=["received_at"], name="journal_inbox_body"
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("source", "message_id"), name="journal_inbox_message")],
            },
        ),
        migrations.CreateModel(
            name="AuditBlob",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("stream", models.CharField(max_length=40)),
                ("seq", models.BigIntegerField()),
                ("retention", models.CharField(max_length=40)),
                ("at", models.CharField(max_length=24)),
                ("sealed", models.BinaryField(null=True)),
                ("erased_at", models.CharField(max_length=24, null=True)),
                ("erased_by", models.CharField(max_length=100)),
                ("erased_reason", models.TextField()),
                ("erasure_seq", models.BigIntegerField(null=True)),
            ],
            options={
                "verbose_name": "감사 본문 (audit body)",
                "verbose_name_plural": "감사 본문 (audit bodies)",
                "db_table": "journal_audit_blob",
                "indexes": [
                    models.Index(
                        condition=models.Q(("sealed__isnull", False)),
                        fields=["retention", "at"],
                        name="journal_audit_blob_due",
                    )
                ],
                "constraints": [models.UniqueConstraint(fields=("stream", "seq"), name="journal_audit_blob_once")],
            },
        ),
        migrations.CreateModel(
            name="AuditRow",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("stream", models.CharField(max_length=40)),
                ("seq", models.BigIntegerField()),
                ("at", models.CharField(max_length=24)),
                ("actor", models.CharField(max_length=100)),
                ("action", models.CharField(max_length=100)),
                ("thing", models.CharField(max_length=200)),
                ("basis", models.CharField(max_length=200)),
                ("mode", models.CharField(max_length=10)),
                ("retention", models.CharField(max_length=40)),
                ("digest", models.CharField(max_length=64)),
                ("prev_hash", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64)),
            ],
            options={
                "verbose_name": "감사 기록 (audit row)",
                "verbose_name_plural": "감사 기록 (audit rows)",
                "db_table": "journal_audit",
                "indexes": [
                    models.Index(fields=["stream", "at"], name="journal_audit_at"),
                    models.Index(fields=["stream", "thing"], name="journal_audit_thing"),
                ],
                "constraints": [models.UniqueConstraint(fields=("stream", "seq"), name="journal_audit_once")],
            },
        ),
        migrations.CreateModel(
            name="Change",
            fields=[
                ("seq", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=40)),
                ("ref", models.CharField(max_length=200)),
                ("authority", models.CharField(max_length=40)),
                ("at", models.CharField(max_length=24)),
            ],
            options={
                "verbose_name": "변경 (change)",
                "verbose_name_plural": "변경 (changes)",
                "db_table": "journal_change",
                "indexes": [models.Index(fields=["at"], name="journal_change_at")],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("seq", models.BigAutoField(primary_key=True, serialize=False)),
                ("outbox_seq", models.BigIntegerField()),
                ("subscriber", models.CharField(max_length=100)),
                ("key", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=300)),
                ("wire", models.BinaryField(null=True)),
                ("overtaken", models.BooleanField()),
                ("ending", models.BooleanField()),
                ("state", models.CharField(max_length=10)),
                ("attempts", models.BigIntegerField()),
                ("next_at", models.CharField(max_length=24)),
                ("last_error", models.TextField()),
                ("finished_at", models.CharField(max_length=24, null=True)),
            ],
            options={
                "verbose_name": "전달 (delivery)",
                "verbose_name_plural": "전달 (deliveries)",
                "db_table": "journal_delivery",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["waiting", "parked", "dead"])),
                        fields=["subscriber", "key", "seq"],
                        name="journal_delivery_open",
                    ),
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["subscriber", "next_at"],
                        name="journal_delivery_due",
                    ),
                    models.Index(condition=models.Q(("state", "dead")), fields=["seq"], name="journal_delivery_dead"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("outbox_seq", "subscriber"), name="journal_delivery_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Nonce",
            fields=[
                ("seq", models.BigAutoField(primary_key=True, serialize=False)),
                ("source", models.CharField(max_length=100)),
                ("nonce", models.CharField(max_length=200)),
                ("expires_at", models.CharField(max_length=24)),
            ],
            options={
                "verbose_name": "사용된 논스 (nonce)",
                "verbose_name_plural": "사용된 논스 (nonces)",
                "db_table": "journal_nonce",
                "indexes": [models.Index(fields=["expires_at"], name="journal_nonce_expiry")],
                "constraints": [models.UniqueConstraint(fields=("source", "nonce"), name="journal_nonce_once")],
            },
        ),
        migrations.CreateModel(
            name="Timer",
            fields=[
                ("seq", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=100)),
                ("key", models.CharField(max_length=200)),
                ("due_at", models.CharField(max_length=24)),
                ("authority", models.CharField(max_length=40)),
                ("mode", models.CharField(max_length=10)),
                ("body", models.TextField()),
                ("state", models.CharField(max_length=10)),
                ("attempts", models.BigIntegerField()),
                ("next_at", models.CharField(max_length=24)),
                ("last_error", models.TextField()),
                ("finished_at", models.CharField(max_length=24, null=True)),
            ],
            options={
                "verbose_name": "타이머 (timer)",
                "verbose_name_plural": "타이머 (timers)",
                "db_table": "journal_timer",
                "indexes": [
                    models.Index(condition=models.Q(("state", "waiting")), fields=["next_at"], name="journal_timer_due")
                ],
                "constraints": [models.UniqueConstraint(fields=("kind", "key"), name="journal_timer_once")],
            },
        ),
        migrations.RunPython(seed_retention, migrations.RunPython.noop),
    ]
