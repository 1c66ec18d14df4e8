"""``fab drill``: a cluster rebuilt from its newest backup, in a lab on this computer."""
