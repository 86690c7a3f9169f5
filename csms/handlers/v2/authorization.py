"""Authorization of id tokens (OCPP 2.x, functional block C)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action
from twisted.internet.defer import Deferred

from csms.handlers.request import Policy, Reads, Reply, Request, then
from csms.handlers.tags import Authority, Tags
from csms.handlers.v2.values import id_token_info
from csms.ledger.authorization import TagInfo


class Authorization:
    """Authorize."""

    def __init__(self, reads: Reads, policy: Policy, authority: Authority | None = None) -> None:
        self._tags = Tags(reads, policy.unknown_tags, authority)

    @on(Action.authorize)
    def on_authorize(self, request: Request, id_token: dict[str, Any], **_members: Any) -> Reply | Deferred[Reply]:
        """Answer Authorize (C01 to C07)."""

        def answer(info: TagInfo) -> Reply:
            return Reply(call_result.Authorize(id_token_info=id_token_info(info)))

        running = [transaction.id_tag for transaction in request.state.running.values()]
        client_id, now = request.state.charge_point.client_id, request.context.now
        return then(self._tags.judge(id_token["id_token"], client_id, now, running), answer)
