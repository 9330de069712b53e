"""Tracked people as files that other programs open: JSON of the field, tables, motion capture and animation formats."""
