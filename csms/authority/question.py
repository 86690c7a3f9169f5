"""One question to the webhook, and its answer.

The question is ``{"idTag", "clientId"}``, the answer ``{"status", "expiryDate"?, "parentIdTag"?}`` with a status of OCPP 1.6
(§7.2).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from csms.authority.exchange import BadAnswer, ask_again, body_of
from csms.ledger.authorization import TagInfo, TagStatus
from csms.ledger.id_tags import BadTag, check_text

MAX_ANSWER_BYTES = 16 * 1024


class _Answer(Struct, rename="camel"):
    status: TagStatus
    expiry_date: Annotated[datetime, Meta(tz=True)] | None = None
    parent_id_tag: str | None = None


_decoder = msgspec.json.Decoder(_Answer)


async def ask(agent: IAgent, url: bytes, headers: Headers, id_tag: str, client_id: str) -> TagInfo:
    """Ask about a tag.

    :raises BadAnswer: the answer is none.
    :raises ResponseFailed, ConnectError, …: there was none.
    """
    question = msgspec.json.encode({"idTag": id_tag, "clientId": client_id})
    response = await ask_again(agent, url, headers, question)
    return parse(await body_of(response, MAX_ANSWER_BYTES))


def parse(body: bytes) -> TagInfo:
    """Read an answer.

    :raises BadAnswer: it is none.
    """
    try:
        answer = _decoder.decode(body)
        if answer.parent_id_tag:
            check_text("parentIdTag", answer.parent_id_tag)
        expiry = answer.expiry_date.astimezone(UTC) if answer.expiry_date is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, BadTag, OverflowError) as error:
        raise BadAnswer(f"its answer is not understood: {error}") from None
    return TagInfo(answer.status, expiry, answer.parent_id_tag or None)
