"""What the demo city's people work by: the example checklists, a team, and this week's shifts."""

from __future__ import annotations

from datetime import datetime, timedelta


def seed_work(authority: str, now: datetime) -> None:
    """Publishes the example checklists and plans a week for the demo's operators; what is there already stays."""
    from madang.identity.models import Person
    from madang.identity.rights import Role, system_actor
    from madang.journal import civic
    from madang.kernel.clock import SEOUL
    from madang.response.duty import roster
    from madang.response.duty.models import Team
    from madang.response.duty.presence import duty_config
    from madang.response.sop.seed import plant

    actor, today = system_actor(authority), now.astimezone(SEOUL).date()
    operators = Person.objects.filter(role_assignments__authority_id=authority, is_active=True)
    people = sorted(operators.filter(role_assignments__role=Role.OPERATOR).values_list("pk", flat=True).distinct())
    with civic.transaction() as tx:
        plant(tx, actor, authority, now)
        if not people or Team.objects.filter(authority_id=authority).exists():
            return
        roster.put_team(tx, actor, authority, "1조", people, now)
        for number, person in enumerate(people):
            shift = duty_config().shifts[number % len(duty_config().shifts)]
            roster.plan(
                tx, actor, authority, (today + timedelta(days=1), today + timedelta(days=7)), shift, [person], now
            )
