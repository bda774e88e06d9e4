"""Bytes and the order of messages: no I/O, no SQL, no clock.

frames    where messages begin and end in a stream
messages  reading and writing the bodies of the messages that the proxy looks into
startup   the packets before the first message
exchange  what the server still owes, and to whom each of its messages belongs
"""
