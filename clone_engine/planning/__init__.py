"""From what exists on both sides to ordered steps.  Does nothing to either server but ask."""
