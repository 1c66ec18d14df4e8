"""From an inventory and its roles to plans: plain data, made without any host."""
