"""Persistent homology of a representation's cloud of points: draws, diagrams, nulls and distances."""
