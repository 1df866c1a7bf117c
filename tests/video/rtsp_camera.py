"""A real RTSP camera for the tests: run by the system's Python, which has GStreamer's bindings. Prints its address."""

import sys

import gi  # type: ignore[import-not-found,import-untyped,unused-ignore]  # only in the system's Python

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found,unused-ignore]  # noqa: E402 -- versions first

PICTURE = "videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=15/1"
CODECS = {
    "h264": "openh264enc gop-size=15 ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1",
    "h265": "x265enc speed-preset=ultrafast key-int-max=15 ! h265parse ! rtph265pay name=pay0 pt=96 config-interval=1",
}

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
for name, encoder in CODECS.items():
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {PICTURE} ! {encoder} )")
    factory.set_shared(True)
    server.get_mount_points().add_factory(f"/{name}", factory)
server.attach(None)
sys.stdout.write(f"rtsp://127.0.0.1:{server.get_bound_port()}\n")
sys.stdout.flush()
GLib.MainLoop().run()
