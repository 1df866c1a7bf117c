"""What may never be lost: inbox, outbox, timers, change feed and audit chain, as SQL over either store."""
