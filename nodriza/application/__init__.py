"""What runs inside the application's own Python, by its user, with its Django.

The controller reads these files as text, and they travel with the plan (``Preflight``): the
standard library and Django only, Python 3.9, Django from 3.2 on.
"""
