"""A simulated OCPP charge point on Autobahn's client."""
