"""Every action of OCPP 1.6 that a central system can send, as tests of each face and layer send it."""

from __future__ import annotations

import pytest

AT = "2026-03-01T13:00:00Z"
LOCATION = "ftp://operator:geheim@example.org/up"
HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "1"}
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}]},
}
ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}

TABLE = [
    # action, request, what an accepting charge point answers, what a refusing one answers
    ("CancelReservation", {"reservationId": 99999}, ACCEPTED, REJECTED),
    ("CertificateSigned", {"certificateChain": "-----BEGIN"}, ACCEPTED, REJECTED),
    ("ChangeAvailability", {"connectorId": 99, "type": "Inoperative"}, ACCEPTED, REJECTED),
    ("ChangeConfiguration", {"key": "Nonsense", "value": "1"}, ACCEPTED, {"status": "NotSupported"}),
    ("ClearCache", {}, ACCEPTED, REJECTED),
    ("ClearChargingProfile", {"id": 7}, ACCEPTED, {"status": "Unknown"}),
    ("DataTransfer", {"vendorId": "acme", "data": "x"}, {**ACCEPTED, "data": "y"}, {"status": "UnknownVendorId"}),
    ("DeleteCertificate", {"certificateHashData": HASH}, ACCEPTED, {"status": "NotFound"}),
    ("ExtendedTriggerMessage", {"requestedMessage": "Heartbeat"}, ACCEPTED, {"status": "NotImplemented"}),
    ("GetCompositeSchedule", {"connectorId": 1, "duration": 60}, ACCEPTED, REJECTED),
    ("GetConfiguration", {"key": ["Nonsense"]}, {"configurationKey": []}, {"unknownKey": ["Nonsense"]}),
    ("GetDiagnostics", {"location": LOCATION}, {"fileName": "d.zip"}, {}),
    (
        "GetInstalledCertificateIds",
        {"certificateType": "CentralSystemRootCertificate"},
        ACCEPTED,
        {"status": "NotFound"},
    ),
    ("GetLocalListVersion", {}, {"listVersion": 3}, {"listVersion": -1}),
    ("GetLog", {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": LOCATION}}, ACCEPTED, REJECTED),
    (
        "InstallCertificate",
        {"certificateType": "ManufacturerRootCertificate", "certificate": "-----"},
        ACCEPTED,
        REJECTED,
    ),
    ("RemoteStartTransaction", {"connectorId": 99, "idTag": "TAG1"}, ACCEPTED, REJECTED),
    ("RemoteStopTransaction", {"transactionId": 99999}, ACCEPTED, REJECTED),
    ("ReserveNow", {"connectorId": 99, "expiryDate": AT, "idTag": "TAG1", "reservationId": 7}, ACCEPTED, REJECTED),
    ("Reset", {"type": "Hard"}, ACCEPTED, REJECTED),
    ("SendLocalList", {"listVersion": 1, "updateType": "Full"}, ACCEPTED, {"status": "VersionMismatch"}),
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": PROFILE}, ACCEPTED, REJECTED),
    (
        "SignedUpdateFirmware",
        {
            "requestId": 1,
            "firmware": {"location": LOCATION, "retrieveDateTime": AT, "signingCertificate": "c", "signature": "s"},
        },
        ACCEPTED,
        REJECTED,
    ),
    ("TriggerMessage", {"requestedMessage": "Heartbeat", "connectorId": 99}, ACCEPTED, REJECTED),
    ("UnlockConnector", {"connectorId": 99}, {"status": "Unlocked"}, {"status": "NotSupported"}),
    ("UpdateFirmware", {"location": LOCATION, "retrieveDate": AT}, {}, {}),
]
every_action = pytest.mark.parametrize(
    ("action", "request_", "accepted", "refused"), TABLE, ids=[row[0] for row in TABLE]
)
