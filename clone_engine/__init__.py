"""The cloning side: from a request to a complete copy.  Knows nothing of the wire protocol.

Each package imports only those above it:

records   what is asked, what a job is, what is to be done, what a user can be told
asking    strict reading of what callers write
ddl       definitions from pg_dump as typed statements, and under other names
servers   connections, the snapshot, what exists on both sides
planning  which statements and copies, in which order
running   a job at work in its own processes; `jobs` starts it as a program
jobs      the manager: the one writer of job state, and where it is kept

ARCHITECTURE.md has the whole map.
"""
