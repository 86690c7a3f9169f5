"""From a request to the values that its route wants, and from an answer to bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.message import Message
from typing import Any

import msgspec
from twisted.web.iweb import IRequest

from csms.api.parameters import path_values, query_values
from csms.api.problems import MEDIA as PROBLEM
from csms.api.problems import Problem, unprocessable
from csms.api.routes import CSV, EVENT_STREAM, JSON, Answer, Body, Exchange, Route
from csms.ocppj import codec

_encode = msgspec.json.Encoder().encode
_UTF8 = ("utf-8", "utf8", "us-ascii")
_AT = re.compile(r"^(?P<fault>.*) - at `\$?\.?(?P<path>.*)`$", re.DOTALL)
_QUALITY = re.compile(r";\s*q=(?P<q>[0-9.]+)", re.IGNORECASE)
_MOST_RANGES = 50
_NO_BODY = frozenset({204, 304})


def understand(route: Route, request: IRequest, texts: dict[str, str]) -> Exchange:
    """Return what a request asks of its route.

    :raises Problem: it is not understood.
    """
    if accepted(request, route.offers) is None:
        raise Problem(406, f"there is only {' and '.join(route.offers)}")
    path = path_values(texts)
    query = query_values(request.uri.partition(b"?")[2], route.query)
    raw = request.content.read() if request.content is not None else b""
    body = None
    if route.body is not None:
        body = read_body(route.body, request, raw)
    return Exchange(request, path, query, body)


def read_body(wanted: Body, request: IRequest, raw: bytes) -> Any:
    """Return a body as its type.

    :raises Problem: 413, 415, 400 where it is not JSON that may enter, 422 where it is not what is wanted.
    """
    if len(raw) > wanted.most_bytes:
        raise Problem(413, f"at most {wanted.most_bytes} bytes are taken")
    headers = request.requestHeaders.getRawHeaders(b"content-type") or [b""]
    if not wanted.required and not raw and headers == [b""]:
        return wanted.kind()
    described = Message()
    described["content-type"] = headers[0].decode("latin-1")
    if len(headers) != 1 or not headers[0].strip() or described.get_content_type() != wanted.media:
        raise Problem(415, f"the body has to be {wanted.media}", headers=[("accept", wanted.media)])
    charset = described.get_param("charset", "utf-8")
    if not isinstance(charset, str) or charset.lower() not in _UTF8:
        raise Problem(415, "the body has to be UTF-8")
    if wanted.media != JSON:
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Problem(400, "the body is not UTF-8") from None
    try:
        value = codec.parse(raw)
    except codec.BadJson as error:
        raise Problem(400, str(error)) from None
    try:
        return msgspec.convert(value, wanted.kind)
    except msgspec.ValidationError as error:
        raise _misfit(str(error)) from None


def _misfit(message: str) -> Problem:
    found = _AT.match(message)
    return unprocessable(found["path"], found["fault"]) if found is not None else unprocessable("body", message)


def accepted(request: IRequest, offers: Iterable[str]) -> str | None:
    """Return the offer that a request likes best, the first of equals; None where it takes none of them.

    An event stream is given only to those who name it. An answer without a body suits everybody.
    """
    offers = tuple(offers)
    header = b",".join(request.requestHeaders.getRawHeaders(b"accept") or [])
    if not header.strip() or not offers:
        return offers[0] if offers else ""
    ranges = [_range(text) for text in header.decode("latin-1").split(",")[:_MOST_RANGES]]
    best, best_quality = None, 0.0
    for offer in offers:
        named = [quality for name, quality in ranges if name == offer]
        wide = [quality for name, quality in ranges if name == f"{offer.partition('/')[0]}/*"]
        wider = [quality for name, quality in ranges if name == "*/*"]
        matches = named if offer == EVENT_STREAM else named or wide or wider
        if matches and matches[0] > best_quality:
            best, best_quality = offer, matches[0]
    return best


def _range(text: str) -> tuple[str, float]:
    name, _, rest = text.partition(";")
    found = _QUALITY.search(f";{rest}")
    try:
        quality = float(found["q"]) if found is not None else 1.0
    except ValueError:
        quality = 0.0
    return name.strip().lower(), quality


def write(request: IRequest, answer: Answer) -> bytes:
    """Set an answer's status and headers, and return its body."""
    request.setResponseCode(answer.status)
    for name, value in answer.headers:
        request.setHeader(name, value)
    if answer.status in _NO_BODY:
        return b""
    body: bytes = answer.body if isinstance(answer.body, bytes) else _encode(answer.body)
    charset = "; charset=utf-8" if answer.media == CSV else ""
    return _write(request, body, answer.media + charset)


def write_problem(request: IRequest, problem: Problem) -> bytes:
    """Set a problem's status and headers, and return its body."""
    request.setResponseCode(problem.status)
    for name, value in problem.headers:
        request.setHeader(name, value)
    return _write(request, problem.encode(), PROBLEM)


def _write(request: IRequest, body: bytes, media: str) -> bytes:
    request.setHeader("content-type", media)
    request.setHeader("content-length", str(len(body)))
    return body
