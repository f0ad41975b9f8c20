"""The exit codes, which scripts go by. 2 is argparse's own, for a wrong command line."""

DONE = 0
FAILED = 1
CLOSED = 3
"""The gate closed: the data is wrong, and not the stage."""
INTERRUPTED = 130
"""What a shell says of a command that Ctrl-C ended."""
