"""Whoever wants no more mail: the one-click address, its page, and the lists."""
