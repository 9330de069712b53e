"""Data sets as common samples, and the transforms that move pixels, joints and camera together."""
