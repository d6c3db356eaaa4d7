"""The main job from end to end, on this machine: Label Studio, backend, controller, a simulated annotator."""
