"""The ground every room stands on: ids, time, places, modes, refusals and errors. Pure."""
