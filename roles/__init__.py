"""What a node is made of: one module a role, each a generator of resources."""
