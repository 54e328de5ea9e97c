"""What the catalog says: schedules, workflows, and looks at what a run would do."""
