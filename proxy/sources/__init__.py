"""Which sources a caller may have the proxy connect to, and how: the configuration's rules and named sources.

`access` decides, with `patterns` and `policy` (where to), `pinning` (names looked up once) and `named` (by name).
"""
