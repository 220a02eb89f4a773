"""OpenTelemetry spans and trace context, for callers who have it installed; nothing for those who have not.

No attribute tells what was said, by whom, or how it scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

try:
    import opentelemetry.propagate as propagate
    import opentelemetry.trace as trace
except ModuleNotFoundError:
    _tracer = None
else:
    _tracer = trace.get_tracer("voicestress")


@contextmanager
def span(name: str, **attributes: str | int | float) -> Iterator[None]:
    """A span around what is done in the block; an error ends it with its kind, for its message names recordings."""
    if _tracer is None:
        yield
        return
    with _tracer.start_as_current_span(
        f"voicestress.{name}",
        attributes={f"voicestress.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except BaseException as error:
            current.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


def headers() -> dict[str, str]:
    """The trace context of the moment, as the metadata of a call."""
    carrier: dict[str, str] = {}
    if _tracer is not None:
        propagate.inject(carrier)
    return carrier
