"""Several processes that serve clients on one port, where `server.processes` is more than 1.

Python runs one thread at a time, so one process relays what one core can.  The first process accepts clients and hands
each connection to the serving process that has fewest; it alone has the jobs, so it also performs the actions that
sessions ask for, and tells every serving process what changes in the records.

channel           what the first process and a serving process say to each other
link              these messages over a socket pair
supervisor        the first process: the serving processes, together
child             one serving process as the first process sees it
desk              the actions that one serving process asks for
serving_process   the program of a serving process
intake            the connections that it is handed
mirror            the records of jobs, as it learns of them
remote            actions, as it has them performed

A session sees no difference: it reads a `calls.snapshot` of records and has its actions performed, wherever they are.
"""
