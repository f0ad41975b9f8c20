"""What tidegate costs, as ratios measured in one run: these machines are noisy. Never asserted in tests."""
