"""A report in words: one room for the log, the card, the page and the terminal."""
