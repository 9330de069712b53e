"""Training of the second pass alone: the rest of the network, kept as it is, looks at each picture only once."""
