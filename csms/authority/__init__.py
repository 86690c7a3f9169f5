"""The external authority: somebody else's web service that is asked about id tags that are unknown here."""
