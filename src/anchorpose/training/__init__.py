"""Presets, the training loop, checkpoints and export."""
