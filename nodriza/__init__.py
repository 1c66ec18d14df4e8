"""nodriza: turns bare Debian hosts into a Django cluster and keeps it that way.

This module stays empty: it travels to every host with the agent.
"""
