"""Frigate: review items of its object detection become signals, the state of its cameras health."""
