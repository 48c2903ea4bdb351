"""Differences between runs, stages and checkpoints: of stored values only, paired over the same documents."""
