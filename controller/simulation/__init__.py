"""Rounds without people and without Label Studio: ground truth answers, everything else is the real code.

``settings``: what a run is; ``images``: data in memory at one size; ``annotator``: who answers, and how many
keys it takes; ``recipes``: what is learned from the answers; ``bounds``: the least and the most that can be
reached; ``run``: one strategy, one seed, all groups; ``results``: rows of numbers, written as they come.
"""
