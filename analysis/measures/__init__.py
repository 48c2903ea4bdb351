"""Measures: one module per idea, numpy in, result out; each ends with MEASURES."""
