"""The schema's history, for Alembic: one file a step, in `versions/`; env.py says how they run."""
