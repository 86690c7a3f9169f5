"""The live side of a charge point: its session, the registry of sessions, and the dispatch of CALLs."""
