"""A job at work, in processes of its own: handing out steps, doing them, moving rows, cleaning up."""
