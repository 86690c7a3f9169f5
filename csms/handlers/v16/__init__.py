"""OCPP 1.6, one module per profile of the specification."""
