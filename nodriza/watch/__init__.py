"""Commands that look at nodes and change nothing."""
