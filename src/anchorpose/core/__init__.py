"""Numpy only: skeletons, boxes, cameras, poses, alignment."""
