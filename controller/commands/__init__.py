"""One thin module per `controller` command."""
