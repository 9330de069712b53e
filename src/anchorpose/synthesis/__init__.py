"""Training data from motion capture and photographs."""
