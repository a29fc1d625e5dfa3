"""Prints a comparison: in a terminal, as Markdown, as a page, as JSON, and for a projector."""
