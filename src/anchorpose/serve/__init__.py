"""The HTTP service: pictures, streams of frames and videos in, poses out."""
