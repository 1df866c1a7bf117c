"""What the linkage runs and registers."""


def register() -> None: ...
