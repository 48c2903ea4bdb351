"""Figures for a paper: laid out in millimetres and points, drawn by a browser, and bundled with what made them."""
