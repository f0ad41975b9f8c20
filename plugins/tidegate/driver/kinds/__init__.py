"""The kinds of stage: how each turns named inputs into one output."""
