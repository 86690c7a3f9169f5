"""Makes ``twistd csms`` known to Twisted."""

from twisted.application.service import ServiceMaker

csms = ServiceMaker("csms", "csms.tap", "A charging station management daemon for OCPP charge points.", "csms")
