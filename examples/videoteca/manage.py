#!/usr/bin/env python3
"""Django's command line."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoteca.settings")
    # A page gives up on a database that does not answer; a migration may take its time.
    os.environ.setdefault("DATABASE_READ_TIMEOUT", "0")
    execute_from_command_line(sys.argv)
