"""Results to plotly figures: pure functions, one kind of figure a file; theme.py holds everything visual."""
