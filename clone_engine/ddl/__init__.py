"""Definitions as pg_dump writes them: parsed to typed statements, and rewritten for other names and places.  Pure."""
