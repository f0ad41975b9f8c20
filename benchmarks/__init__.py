"""What tidegate costs, as ratios measured in one run: machines are noisy. Never asserted."""
