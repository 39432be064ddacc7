"""One schema on two databases: an engine with read, write and group commit, the tables, the migrations."""
