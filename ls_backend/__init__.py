"""What Label Studio calls: predictions for its tasks, and an inbox for its webhooks."""

SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which gunicorn's workers count together."""
