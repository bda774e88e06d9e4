"""The two servers as a clone sees them: connections, the snapshot, what exists, its dump, and what they refuse."""
