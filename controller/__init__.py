"""The headless loop: rounds of asking, merging, training and publishing."""
