"""PoseBERT's network and its training on motion capture (torch)."""
