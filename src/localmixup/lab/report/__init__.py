"""Figures, and one self-contained HTML page: no network, readable with scripts off, light and dark."""
