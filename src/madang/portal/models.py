"""What the citizens' pages keep of their own: how often an address knocked, so that floods are slowed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Knock(models.Model):
    """One use of a door. `who` is a keyed digest of the address that changes every day; the address is not kept."""

    door = models.CharField(max_length=20)
    who = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["door", "who", "at"], name="portal_knock_who")]

    def __str__(self) -> str:
        return f"{self.door} {self.at:%Y-%m-%d %H:%M}"
