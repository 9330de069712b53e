"""LCR-Net: localization, classification into anchor-poses, regression, and pose proposal integration."""
