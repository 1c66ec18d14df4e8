"""A release: what it is, what a node does to take it, and what served when."""
