"""Metrics and protocols, numpy only."""
