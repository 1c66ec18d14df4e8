"""Secrets: their names in plans, their values, the file that keeps them, and who can open it."""
