"""Plans to nodes: who may change when, what hosts are asked, what comes of it."""
