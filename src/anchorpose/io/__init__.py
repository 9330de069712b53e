"""Images in, pictures and files out."""
