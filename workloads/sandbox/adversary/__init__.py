"""The sandbox under attack: programs that try to escape or to be misjudged, and an outside observer that detects it."""
