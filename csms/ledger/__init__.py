"""The rules: what a message means for a charge point. Pure; the same for every OCPP version."""
