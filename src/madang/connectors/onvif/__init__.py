"""ONVIF cameras: the events they notice become signals, pulled from each camera (PullPoint)."""
