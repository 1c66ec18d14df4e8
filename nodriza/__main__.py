"""``python -m nodriza``: the same as ``nodriza``."""

from nodriza.cli import main

if __name__ == "__main__":
    main()
