"""What runs on the host: standard library only, Python 3.9 or later."""
