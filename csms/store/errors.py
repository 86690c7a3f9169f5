"""What can go wrong with the store."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot be opened or used; the message is one line for the operator."""


class StoreUnavailable(StoreError):
    """Nothing can be committed now (disk full, database away, locked): what was asked for did not happen."""


class StoreBroken(StoreError):
    """The store failed in a way that must not be retried (an fsync error): the daemon has to stop and recover."""
