"""Labs of systemd-nspawn containers."""
