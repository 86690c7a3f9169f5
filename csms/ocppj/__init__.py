"""The OCPP-J RPC layer without I/O: frames, error codes, schemas, key names and the connection state machine."""
