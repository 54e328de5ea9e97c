"""Looking at runs, and giving orders about them."""
