"""Video in and out: sources, H.264, and results that are appended frame by frame."""
