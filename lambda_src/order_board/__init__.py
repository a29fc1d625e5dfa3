"""Keeps the tickets at the counter: what was ordered, and what is paid and to be made."""
