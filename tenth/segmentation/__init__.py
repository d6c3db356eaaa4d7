"""Pixels in; class probabilities, superpixels and uncertainty out. No HTTP, no Label Studio, no database."""
