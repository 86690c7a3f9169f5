"""Handlers: translate an OCPP message into a decision of the ledger, and the decision into an answer."""
