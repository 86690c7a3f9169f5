"""The WebSocket adapter on Autobahn: handshake, liveness, limits, TLS; hands text to sessions."""
