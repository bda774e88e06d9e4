"""The cloning side: from a request to a complete copy.  Knows nothing of the wire protocol.

request  jobs  steps  errors      records: what is asked, what a job is, what is to be done
arguments  options  conninfo      reading what callers write
manager  job_store  store         the one writer of job state, and where it is kept
children  channel                 job processes and the lines they talk in
job_process  job  crew  copier    a job at work: its process and its copiers
keeper  relay  durable  undo      the snapshot, the rows, what counts as done, what is taken back
source  dump  ddl  plan  graph    what exists, its DDL from pg_dump, and the ordered steps

ARCHITECTURE.md has the whole map.
"""
