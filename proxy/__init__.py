"""The network side: what clients connect to.  Imports clone_engine's public face, never the reverse.

config      settings: TOML file, environment, defaults
server      listeners and open sessions, start and stop
session     one client connection with its server connection: relaying both ways
transports  its two connections as asyncio sees them
upstream/   the connection to the target server, or to one of several
cancel      CancelRequests
auth        with which credential a job logs in to the target
interception/  statements of ours on a session: the order of messages around them
wire/       bytes and protocol order only: no I/O, no SQL
calls/      pgclone SQL only: no bytes, no sockets
stubs/      optional objects on the target that list our names there and hand calls to the proxy
logs        how the proxy logs
installations  embedded  launch  agreement   servers and a proxy to try things with;  demo  what is built on them
"""
