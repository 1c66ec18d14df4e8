"""Backups: made, listed, restored on trial and put back. What does the work is on the nodes."""
