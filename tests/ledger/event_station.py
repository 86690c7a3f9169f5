"""A station of OCPP 2.x and its ledger: transactions by events, and a daemon that may start anew between two of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from csms.ledger import clock, connectors, readings, transaction_events
from csms.ledger.event_facts import EventKind, TransactionEvent
from csms.ledger.metering import MeterValue
from csms.ledger.shapes import BEGIN
from csms.ledger.state import Transaction
from csms.ledger.transaction_events import Taken
from tests.ledger.station import NEW, Station, at, sample

END = "Transaction.End"
STATION_ID = "5b2c-1"
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
OF_STATION = {"evseId", "stationConnectorId", "stationTransactionId", "stationStatus"}


class EventStation(Station):
    """As `Station`, by TransactionEvent."""

    def status_of(self, status: str, evse_id: int = 1, connector_id: int | None = 1) -> None:
        """Send StatusNotification."""
        self._apply(
            connectors.station_status(
                self.state,
                self.context(),
                evse_id=evse_id,
                station_connector_id=connector_id,
                status=status,
                instant=clock.judge(at("11:59"), self.now),
            )
        )

    def event(
        self,
        kind: EventKind,
        seq_no: int,
        time: str,
        register: str | None = None,
        *,
        station_id: str = STATION_ID,
        values: tuple[MeterValue, ...] = (),
        evse: tuple[int | None, int | None] = (1, 1),
        **members: Any,
    ) -> Taken:
        """Send a TransactionEvent; ``register`` is in Wh, at its time."""
        context = {"Started": BEGIN, "Ended": END}.get(kind)
        if register is not None:
            one = sample(register, context=context) if context is not None else sample(register)
            values = (*values, self.value(time, one))
        event = TransactionEvent(
            kind=kind,
            station_transaction_id=station_id,
            seq_no=seq_no,
            instant=clock.judge(at(time), self.now),
            trigger_reason=members.pop("trigger_reason", "Trigger"),
            evse_id=evse[0],
            station_connector_id=evse[1],
            readings=values,
            **members,
        )
        found = self.found(station_id)
        return self._apply(
            transaction_events.take(
                self.state,
                self.context(),
                event,
                found=found if transaction_events.is_of(event, found) else None,
                transaction_id=next(self._ids),
                known=self.known(),
                tariff=self.tariff,
                body={"seqNo": seq_no},
            )
        )

    def found(self, station_id: str = STATION_ID) -> Transaction | None:
        """Return the latest transaction with an id of the station's."""
        mine = [item for item in self.transactions.values() if item.station_transaction_id == station_id]
        return mine[-1] if mine else None

    def evse_values(self, evse_id: int, *values: tuple[str, str]) -> None:
        """Send MeterValues; a pair of texts stands for time and register."""
        made = [self.value(*item) for item in values]
        self._apply(
            readings.evse_values(self.state, self.context(), evse_id=evse_id, readings=made, known=self.known())
        )

    def restart(self) -> None:
        """Start the daemon anew: what only memory knew is gone."""
        state = self.state
        taken = [reading.taken_at for reading in self.readings]
        started = [transaction.start_time for transaction in self.transactions.values()]
        self.state = replace(
            NEW,
            charge_point=state.charge_point,
            sequence=state.sequence,
            readings_known_since=max(taken, default=LONG_AGO),
            latest_start=max(started, default=LONG_AGO),
            connectors=state.connectors,
            evses=state.evses,
            running={key: value for key, value in self.transactions.items() if value.status == "active"},
            finished=state.finished,
            reservations=state.reservations,
        )

    def version_neutral(self, event_type: str) -> list[dict[str, Any]]:
        """Return the payloads of a type without what only 2.x tells."""
        return [
            {name: value for name, value in payload.items() if name not in OF_STATION}
            for payload in self.payloads(event_type)
        ]
