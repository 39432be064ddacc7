"""The composition root: one worker's parts, built from the configuration, started and stopped in order."""
