"""`anchorpose evaluate`: what the protocols share, and those in 2D, in 3D and on users' own files."""
