"""The only helper package that imports streamlit: selection, loading, cards, downloads and the job panel."""
