"""What the target server says beside its replies: its settings (ParameterStatus, protocol chapter 54.2.7).

Pure.  Messages that nobody here needs are passed on to the client, whatever they are.
"""

from __future__ import annotations

from proxy.wire.messages import ProtocolError, decode_parameter_status

MOST = 256
"""Settings that are remembered, ten times what PostgreSQL reports."""


def note(reported: dict[str, str], body: bytes) -> None:
    """Remember what a ParameterStatus with this body says.  One that cannot be read says nothing."""
    try:
        name, value = decode_parameter_status(body)
    except ProtocolError:
        return
    if name in reported or len(reported) < MOST:
        reported[name] = value
