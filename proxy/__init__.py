"""The network side: what clients connect to.  Imports clone_engine's public face, never the reverse.

config      settings: TOML file, environment, defaults
server      listeners, sessions, cancel keys, start and stop
session     one client connection with its server connection: relaying, and driving what is answered here
transports  its two connections as asyncio sees them
upstream    where the target server is, and connecting to it
cancel      CancelRequests
auth        with which credential a job logs in to the target
wire/       bytes and protocol order only: no I/O, no SQL
calls/      pgclone SQL only: no bytes, no sockets
embedded    PostgreSQL servers from the embedded wheel;  demo  the demonstration built on them
"""
