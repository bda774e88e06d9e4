"""How a client logs in to the target server through the proxy.

A login method is a coroutine function that takes the `Parties` and returns once the server's AuthenticationOk has gone
to the client; PgError refuses the client, ConnectionLostError means that one side has left.
"""
