"""What statements cost through the proxy, measured against the same statements without it, in one run.

cases     which statements, as a table
stage     a server, proxies in front of it, and stand-ins: tables and functions with the same data, for direct use
timing    two ways to run a statement, timed in turns
parses    how often statements are parsed, and what the filter costs by itself
report    the figures as a table of Markdown

Nothing is asserted: on a shared machine only ratios within one run mean something.  `python -m bench` runs it.
"""
