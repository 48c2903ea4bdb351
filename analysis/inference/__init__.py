"""Uncertainty shared by all measures: documents, not rows, are what is resampled."""
