"""Stubs: what schema browsers list, and what SQL on the server can call.  Optional, and plain SQL and PL/pgSQL.

definitions  the objects as CREATE statements, made from the table of signatures
installing   putting them into a database, and taking them out again
*.sql        the functions behind them, which hand a call to the proxy and wait for its reply

How the proxy answers such a call is `interception.call_backs`.
"""
