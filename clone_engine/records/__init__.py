"""The values everything here speaks in: what is asked, what a job is, what is to be done, what a user can be told."""
