"""People at the office of one city, and rows of this city and its neighbour for them to find or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from madang.identity.actors import actor_of_person
from madang.identity.models import Person
from madang.identity.rights import Role
from tests.conftest import MakePerson


class Worker:
    """Somebody logged in at the office."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.actor = actor_of_person(person)
        self.client = Client()
        self.client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")

    def get(self, path: str) -> Any:  # Any: the test client's response
        return self.client.get(f"/office/{path}")

    def post(self, path: str, **form: object) -> Any:  # Any: the same
        return self.client.post(f"/office/{path}", form)

    def page_after(self, path: str, **form: object) -> str:
        """What stands on the page one is sent to after a deed."""
        return str(self.client.post(f"/office/{path}", form, follow=True).content.decode())


MakeWorker = Callable[..., Worker]


@pytest.fixture
def worker(make_person: MakePerson) -> MakeWorker:
    """A maker of people at the office."""

    def make(role: Role, **more: Any) -> Worker:  # Any: as `make_person` takes them
        return Worker(make_person(role, **more))

    return make
