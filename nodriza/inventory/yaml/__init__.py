"""YAML as people write it: its grammar, places in the file, and what is wrong in plain words."""
