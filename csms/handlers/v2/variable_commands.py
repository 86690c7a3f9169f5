"""What the ledger learns from the answers to the commands of the device model (OCPP 2.x B05 to B08, N02 to N06)."""

from __future__ import annotations

from ocpp.v201.enums import Action

from csms.handlers.command_set import Learner, Payload, learner
from csms.handlers.v2 import variables as wire
from csms.ledger import device_model, monitoring, reports
from csms.ledger.decision import Context, Decision
from csms.ledger.device_model import Known
from csms.ledger.model import Monitor, ReportKind
from csms.ledger.state import ChargePointState
from csms.store.variables import known_monitors, known_variables


def get_variables(
    state: ChargePointState, context: Context, _request: Payload, response: Payload, known: Known
) -> Decision[None]:
    """Learn from the answer to GetVariables (B06)."""
    return device_model.got(state, context, answers=wire.values_got(response), known=known)


def set_variables(
    state: ChargePointState, context: Context, request: Payload, response: Payload, known: Known
) -> Decision[None]:
    """Learn from the answer to SetVariables (B05)."""
    return device_model.changed(state, context, answers=wire.values_set(request, response), known=known)


def set_variable_monitoring(
    state: ChargePointState, context: Context, request: Payload, response: Payload, known: dict[int, Monitor]
) -> Decision[None]:
    """Learn from the answer to SetVariableMonitoring (N04)."""
    return monitoring.monitors_set(state, context, monitors=wire.monitors_taken(request, response), known=known)


def clear_variable_monitoring(
    state: ChargePointState, context: Context, _request: Payload, response: Payload, known: dict[int, Monitor]
) -> Decision[None]:
    """Learn from the answer to ClearVariableMonitoring (N06)."""
    return monitoring.monitors_cleared(state, context, ids=wire.monitors_gone(response), known=known)


def set_monitoring_base(
    state: ChargePointState, context: Context, request: Payload, response: Payload, known: dict[int, Monitor]
) -> Decision[None]:
    """Learn from the answer to SetMonitoringBase (N03)."""
    if response.get("status") != reports.ACCEPTED:
        return Decision(None, state)
    return monitoring.base_set(state, context, base=request["monitoringBase"], known=known)


def _report(action: Action, kind: ReportKind) -> Learner:
    def learn(state: ChargePointState, context: Context, request: Payload, response: Payload) -> Decision[None]:
        return reports.requested(
            state,
            context,
            kind=kind,
            action=action.value,
            request_id=wire.request_id(request),
            request=request,
            status=str(response.get("status", ""))[:50],
        )

    return learner(learn)


LEARNERS: dict[str, Learner] = {
    Action.get_variables.value: Learner(get_variables, known_variables),
    Action.set_variables.value: Learner(set_variables, known_variables),
    Action.get_base_report.value: _report(Action.get_base_report, "variables"),
    Action.get_report.value: _report(Action.get_report, "variables"),
    Action.get_monitoring_report.value: _report(Action.get_monitoring_report, "monitors"),
    Action.set_variable_monitoring.value: Learner(set_variable_monitoring, known_monitors),
    Action.clear_variable_monitoring.value: Learner(clear_variable_monitoring, known_monitors),
    Action.set_monitoring_base.value: Learner(set_monitoring_base, known_monitors),
}
