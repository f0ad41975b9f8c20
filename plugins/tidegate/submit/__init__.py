"""Starting a driver, following it and ending it: a file for each way."""
