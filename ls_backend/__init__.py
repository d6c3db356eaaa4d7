"""What Label Studio calls: pre-annotations, webhooks and model versions over HTTP."""
