"""Work that takes time: a job is a folder and a worker process started from a command a person could type."""
