"""The wire format of Label Studio and a client for it."""
