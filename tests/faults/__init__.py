"""The fault matrix on real processes: ``make faults`` (see docs/faults.md)."""
