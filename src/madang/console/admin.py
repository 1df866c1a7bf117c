"""Puts the console's pages into the back office; Django's admin imports this at start."""

from madang.console.office import (
    audits,
    decisions,
    disclosures,
    health,
    hub,
    imports,
    provisions,
    retention,
    reviews,
    rosters,
    sops,
)

for module in (reviews, disclosures, provisions, decisions, imports, retention, audits, health, hub, sops, rosters):
    module.register()
