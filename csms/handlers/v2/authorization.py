"""Authorization of id tokens (OCPP 2.x, functional block C)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result as call_result_21
from ocpp.v201 import call_result
from ocpp.v201.enums import Action
from twisted.internet.defer import Deferred

from csms.handlers.contracts import CertificateStatus, Contract, Contracts, refused, status_with
from csms.handlers.request import Policy, Reads, Reply, Request, then
from csms.handlers.tags import Authority, Tags
from csms.handlers.v2.tariffs import tariff_type
from csms.handlers.v2.values import Token, id_token_info, ocsp_data, token
from csms.ledger.authorization import TagInfo

_MOST_HASHES = 4


class Authorization:
    """Authorize."""

    def __init__(
        self,
        reads: Reads,
        policy: Policy,
        authority: Authority | None = None,
        contracts: Contracts | None = None,
        *,
        is_21: bool = False,
    ) -> None:
        self._tags = Tags(reads, policy.unknown_tags, authority)
        self._tells_tariff = policy.tells_tariff and is_21
        self._contracts = contracts
        self._is_21 = is_21

    @on(Action.authorize)
    def on_authorize(self, request: Request, id_token: dict[str, Any], **members: Any) -> Reply | Deferred[Reply]:
        """Answer Authorize (C01 to C07): with a certificate its status, and then whether its EMAID is accepted."""
        shown = token(id_token)
        contract = _contract(shown, members)
        if contract is None:
            return then(self._judge(request, shown), self._answer, request, shown)

        def verified(status: CertificateStatus) -> Reply | Deferred[Reply]:
            if status != "Accepted":
                return self._answer(refused(status), request, shown, status)
            return then(self._judge(request, shown), accepted)

        def accepted(info: TagInfo) -> Reply:
            return self._answer(info, request, shown, status_with(info))

        if self._contracts is None:
            return verified("CertChainError")  # without roots none can be verified (C07.FR.17)
        return self._contracts.check(contract, request.context.now).addCallback(verified)

    def _judge(self, request: Request, shown: Token) -> TagInfo | Deferred[TagInfo]:
        if shown.needs_no_authorization:
            return TagInfo("Accepted")
        if shown.is_nobody:
            return self._tags.nobody()
        running = [transaction.id_tag for transaction in request.state.running.values()]
        client_id, now = request.state.charge_point.client_id, request.context.now
        return self._tags.judge(shown.id_tag, client_id, now, running, shown.type)

    def _answer(
        self, info: TagInfo, request: Request, shown: Token, certificate_status: CertificateStatus | None = None
    ) -> Reply:
        told = id_token_info(info, shown, request.context.now, is_21=self._is_21)
        tariff, name = request.state.tariff, request.state.charge_point.tariff_id
        if self._tells_tariff and info.status == "Accepted" and tariff is not None and name is not None:
            described: Any = tariff_type(name, tariff)
            return Reply(call_result_21.Authorize(told, certificate_status=certificate_status, tariff=described))
        return Reply(call_result.Authorize(id_token_info=told, certificate_status=certificate_status))


def _contract(shown: Token, members: dict[str, Any]) -> Contract | None:
    chain, hashes = members.get("certificate"), members.get("iso15118_certificate_hash_data") or []
    if chain is None and not hashes:
        return None
    # One more than there may be is enough to be refused.
    data = tuple(ocsp_data(item) for item in hashes[: _MOST_HASHES + 1])
    return Contract(shown.id_tag, chain, data)
