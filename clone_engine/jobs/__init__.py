"""Jobs as the proxy sees them: accepted, started, watched, decided about and stored."""
