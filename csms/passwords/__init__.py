"""Passwords of charge points: what one may be, its hash, and who has guessed wrong too often. They are kept nowhere else."""
