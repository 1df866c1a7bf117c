"""The control room: what its screens need, its live stream, and the built front end."""
