"""Fuzzing: ``make fuzz MINUTES=n``. What it has found is kept in tests/corpus, and tried again by test_corpus.py."""
