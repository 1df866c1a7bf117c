"""The city's context: an NGSI-LD broker (ETSI GS CIM 009) with state, history and a change feed. Imports no Django."""
