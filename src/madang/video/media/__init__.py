"""The media gateway: a process of its own that opens camera streams, shows them against leases, and fails closed.

Nothing here imports Django. Only `demux` imports PyAV. Run as `python -m madang.video.media`, with its configuration
as one JSON document on standard input or in the file named by `--config`.
"""
