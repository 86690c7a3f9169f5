"""The csms command, one module per command group."""
