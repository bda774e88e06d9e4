"""Statements of ours on a session: filter, rewrite, forward; for actions collect, perform, answer.

interceptor  what a session hands over, and to which protocol's part it goes
context      what both parts share: encoding, ownership, the snapshot, performing calls
performing   waiting for what calls do: cancelling, keeping the session alive
prepared     which prepared statements are ours, by name
passes       the collect pass, the same for both protocols
simple       Query messages
extended     Parse, Bind, Describe, Execute, Close, Sync
replies      the server's messages as the client is to see them
call_backs   calls that stubs make while the server runs a statement
mailbox      where they find the replies

What a statement becomes, and what it answers, is decided in `calls`; here is only the order of messages.
"""
