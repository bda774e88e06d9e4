"""Strict reading of what callers write: arguments, options, conninfos, expressions."""
