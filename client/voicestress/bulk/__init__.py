"""Archives: every recording of a source scored exactly once, whatever happens in between."""
