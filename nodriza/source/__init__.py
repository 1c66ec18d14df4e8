"""The application's source on the controller: its files, git, and its requirements."""
