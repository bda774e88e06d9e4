"""How long clones take, by us and by every other tool that is found: `python -m bench.clones`; and from a source that
is far away: `python -m bench.clones.far`; and what is small: `python -m bench.clones.small`.

scenes      where clones are made: in turns, each measured and its copy checked
ways        those who clone
measuring   what a run takes of the machine
showing     runs as tables, and as lines of JSON; of the far source: far_showing, of small clones: small_showing
timeline    what the target was at
wire        the way to a source far away, a process; wiring starts it
"""
