"""Faults that break a law of docs/design.rst, planted one at a time: a test has to die of each.

A list of our own and no framework. cosmic-ray makes 2,720 mutants of the 1,500 lines of the
agent and its six neighbours alone, which is hours, and hardly one of them is a broken promise:
operators and numbers change, but no ``fsync`` goes and no order is swapped. Here a fault has
the name of what would be wrong, and runs only the tests that are to notice it.
"""
