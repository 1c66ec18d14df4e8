"""Labs of virtual machines, by Vagrant."""
