"""Client mode with a driver that may stay for the next attempt of an equal start."""
