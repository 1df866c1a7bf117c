"""Safety bells (안전비상벨) that speak for themselves: presses, test presses, heartbeats, intercom, faults."""
