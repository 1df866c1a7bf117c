"""Tokens speak of scopes; clients get access tokens for their id and secret."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import madang.identity.models
import madang.kernel.ids

_WRITING = ("create", "update", "delete")


def rules_to_scopes(apps: Any, _editor: Any) -> None:  # Any: Django's historical registry is untyped
    """`{"entity_type": T, "read": …, "write": …}` as the scopes that open exactly the same."""
    for token in apps.get_model("identity", "Token").objects.all():
        token.scopes = [
            f"{deed}:{rule['entity_type']}"
            for rule in token.scopes
            for deed in (*(("read",) if rule.get("read") else ()), *(_WRITING if rule.get("write") else ()))
        ]
        token.save(update_fields=["scopes"])


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]

    operations = [
        migrations.RenameField("token", "types", "scopes"),
        migrations.AlterField("token", "scopes", models.JSONField(default=list, verbose_name="유형별 권한 Scopes")),
        migrations.RunPython(rules_to_scopes, migrations.RunPython.noop),
        migrations.CreateModel(
            name="Client",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=madang.identity.models.new_client_id,
                        editable=False,
                        max_length=36,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="이름 Name")),
                ("hashed", models.CharField(editable=False, max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="발급 Created")),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="만료 Expires")),
                ("revoked_at", models.DateTimeField(blank=True, null=True, verbose_name="폐기 Revoked")),
                (
                    "authority",
                    models.ForeignKey(
                        db_column="authority",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="clients",
                        to="identity.authority",
                    ),
                ),
            ],
            options={
                "verbose_name": "API 클라이언트 Client",
                "verbose_name_plural": "API 클라이언트 Clients",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="ClientGrant",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=madang.kernel.ids.new_id,
                        editable=False,
                        max_length=36,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("scopes", models.JSONField(default=list, verbose_name="유형별 권한 Scopes")),
                (
                    "authority",
                    models.ForeignKey(
                        db_column="authority",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="client_grants",
                        to="identity.authority",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="grants", to="identity.client"
                    ),
                ),
            ],
            options={
                "verbose_name": "API 클라이언트 권한 Client grant",
                "verbose_name_plural": "API 클라이언트 권한 Client grants",
                "constraints": [
                    models.UniqueConstraint(fields=("client", "authority"), name="identity_client_grant_once")
                ],
            },
        ),
    ]
