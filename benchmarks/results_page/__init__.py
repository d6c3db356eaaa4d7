"""``docs/results.md`` and its plots, made from the JSON files in ``benchmarks/results/``."""
