"""A simulated city in the shape of Gimhae: its 19 읍·면·동 by name and rough place, everything else invented."""
