"""Hashes of passwords by argon2id. Slow on purpose: for a thread.

The parameters are OWASP's for little memory: as strong as those that take more, and a hash takes 7 MiB for some 20 ms.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from hmac import compare_digest

from argon2 import extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import Type, hash_secret
from twisted.logger import Logger

_log = Logger()
_TIME_COST = 5
_MEMORY_KIB = 7 * 1024
_PARALLELISM = 1
_HASH_BYTES = 32
_SALT_BYTES = 16
_NOBODYS = "$argon2id$v=19$m={memory},t={time},p={parallelism}${salt}${digest}"


def make(secret: bytes, like: str | None = None) -> str:
    """Return the hash of a password.

    ``like`` another hash of the same charge point: with the salt of that one, so that a password is held against both by one
    computation, and nobody can tell by the time it takes that there are two.
    """
    if like is not None:
        again = _again(secret, like)
        if again is not None:
            return again
    return hash_secret(
        secret, secrets.token_bytes(_SALT_BYTES), _TIME_COST, _MEMORY_KIB, _PARALLELISM, _HASH_BYTES, Type.ID
    ).decode("ascii")


def matching(secret: bytes, hashes: Iterable[str]) -> str | None:
    """Return the hash that a password belongs to, None where it is none of them; without hashes that takes as long."""
    computed: dict[str, str | None] = {}
    found = None
    for stored in hashes:
        salted = stored.rpartition("$")[0]
        if salted not in computed:
            computed[salted] = _again(secret, stored)
        again = computed[salted]
        if again is not None and compare_digest(again, stored):
            found = stored
    if not computed:
        _again(secret, nobodys())
    return found


def nobodys() -> str:
    """Return a hash that belongs to no password, with the parameters of new ones."""
    return _NOBODYS.format(
        memory=_MEMORY_KIB,
        time=_TIME_COST,
        parallelism=_PARALLELISM,
        salt=_encoded(secrets.token_bytes(_SALT_BYTES)),
        digest=_encoded(secrets.token_bytes(_HASH_BYTES)),
    )


def _again(secret: bytes, stored: str) -> str | None:
    """Return the hash of a password with the parameters and the salt of another, None where that one is damaged."""
    try:
        how = extract_parameters(stored)
        salt = _decoded(stored.split("$")[-2])
        return hash_secret(
            secret, salt, how.time_cost, how.memory_cost, how.parallelism, how.hash_len, how.type, how.version
        ).decode("ascii")
    except (InvalidHashError, Argon2Error, ValueError):
        _log.error("the stored hash of a password is damaged: set the password anew")
        return None


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
