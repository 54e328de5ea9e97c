"""Where engines stand, and how to stop one."""
