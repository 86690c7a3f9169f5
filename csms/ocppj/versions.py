"""The OCPP versions that the daemon speaks, and what differs between them on the RPC layer."""

from __future__ import annotations

from attrs import frozen


@frozen(eq=False)
class Version:
    """One OCPP version.

    ``subprotocol`` is the WebSocket subprotocol (OCPP-J 1.6 §3.1.2), ``package`` the module of the `ocpp` library that
    holds its messages, ``format_violation`` and ``occurrence_violation`` the spelling of two CALLERROR codes that
    changed between the versions: the wrong one makes some charge points retry for ever.
    """

    name: str
    subprotocol: str
    package: str
    format_violation: str
    occurrence_violation: str
    rpc_framework_error: str
    unknown_message_type_is_answered: bool
    message_types: frozenset[int] = frozenset({2, 3, 4})
    """The types of frames that there are: a CALLRESULTERROR (5) and a SEND (6) came with 2.1 (OCPP-J 2.1 §4.1.3)."""
    pending_speaks_when_asked: bool = True
    """Whether a charge point whose registration is not Accepted is refused all that it was not asked for (2.x B02.FR.09)."""
    max_message_id: int = 36


V16 = Version(
    name="1.6",
    subprotocol="ocpp1.6",
    package="ocpp.v16",
    format_violation="FormationViolation",
    occurrence_violation="OccurenceConstraintViolation",
    rpc_framework_error="FormationViolation",
    unknown_message_type_is_answered=False,
    pending_speaks_when_asked=False,
)

V201 = Version(
    name="2.0.1",
    subprotocol="ocpp2.0.1",
    package="ocpp.v201",
    format_violation="FormatViolation",
    occurrence_violation="OccurrenceConstraintViolation",
    rpc_framework_error="RpcFrameworkError",
    unknown_message_type_is_answered=True,
)

V21 = Version(
    name="2.1",
    subprotocol="ocpp2.1",
    package="ocpp.v21",
    format_violation="FormatViolation",
    occurrence_violation="OccurrenceConstraintViolation",
    rpc_framework_error="RpcFrameworkError",
    unknown_message_type_is_answered=True,
    message_types=frozenset({2, 3, 4, 5, 6}),
)

SUPPORTED: tuple[Version, ...] = (V21, V201, V16)
"""In the server's order of preference, newest first."""


def choose(offered: list[str]) -> Version | None:
    """Return the version to speak for the subprotocols a charge point offered; the server's order decides."""
    return next((version for version in SUPPORTED if version.subprotocol in offered), None)
