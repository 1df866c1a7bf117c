"""What the journal runs in the background."""

from madang.journal.relay import workers

__all__ = ["workers"]
