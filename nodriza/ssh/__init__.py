"""The way to a host: who it is, how to get there, and what is said on the way.

``hops`` (inventory, ssh_config) → ``connection`` (a ``client`` with known keys only, gateways
shared) → ``channel`` (a plan goes in, events come out) or ``commands`` (a shell line).
"""
