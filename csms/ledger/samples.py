"""Sampled values as charge points give them, in the words of OCPP."""

from __future__ import annotations

from msgspec import Struct


class Sample(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """One sampled value, as texts; the defaults are those of OCPP 1.6 §7.43."""

    value: str
    context: str | None = None
    format: str | None = None
    measurand: str | None = None
    phase: str | None = None
    location: str | None = None
    unit: str | None = None


class SignedSample(Sample, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """A signed value of OCPP 2.x: ``value`` is its signedMeterData, beside it how it was made."""

    signing_method: str | None = None
    encoding_method: str | None = None
    public_key: str | None = None
