"""Rendered people: Anny bodies in motion-captured poses, clothed, lit and photographed by a software renderer."""
