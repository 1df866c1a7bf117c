from collections.abc import Callable, Sequence
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

def display(
    function: F | None = ...,
    *,
    boolean: bool | None = ...,
    ordering: str | None = ...,
    description: str | None = ...,
    empty_value: str | None = ...,
    header: bool | None = ...,
    label: bool | dict[str, str] | None = ...,
) -> Callable[[F], F]: ...
def action(
    function: F | None = ...,
    *,
    permissions: Sequence[str] | None = ...,
    description: str | None = ...,
    url_path: str | None = ...,
    attrs: dict[str, Any] | None = ...,
) -> Callable[[F], F]: ...
