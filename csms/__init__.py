"""csms: a charging station management daemon (OCPP-J in, a durable ledger, two MQTT streams out)."""

__version__ = "0.1.0"
