"""A simulated OCPP 1.6 charge point on Autobahn's client: for the demo, the tests and load."""
