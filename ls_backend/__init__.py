"""What Label Studio calls: predictions for its tasks, and an inbox for its webhooks."""
