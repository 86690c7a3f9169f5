"""A simulated charge point on Autobahn's client, for the demo, the tests and load: OCPP 1.6, 2.0.1 and 2.1.

What all versions share is here; what is said on the wire is in `csms.simulator.v16` and `csms.simulator.v2`.
"""
