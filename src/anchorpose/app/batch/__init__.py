"""Detection and tracking over folders and buckets of any size, on one machine or a Ray cluster."""
