"""Representation geometry over training: measures, their inference, and where their numbers come from.

Importable without streamlit and without a network. `analysis.registry.all_measures()` lists what can be measured;
`analysis.compute` joins measures, stored representations and results.
"""
