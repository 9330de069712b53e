"""MoCap-guided image mosaicing (Rogez and Schmid, NIPS 2016, IJCV 2018): photographs cut to fit a 3D pose."""
