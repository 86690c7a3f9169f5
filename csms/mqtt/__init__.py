"""The bridge to the MQTT broker: the client, and the relay from the event log."""
