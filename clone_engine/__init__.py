"""The cloning side: from a request to a complete copy.  Knows nothing of the wire protocol.

request  jobs  steps  errors      records: what is asked, what a job is, what is to be done
options  conninfo                 reading what callers write
manager  store                    the one writer of job state, and where it is kept
children channel                  job processes and the lines they talk in
job_process scheduler copier relay connect   a job at work: its process and its copiers
source   dump  ddl  plan          what exists, its DDL from pg_dump, and the ordered steps
"""
