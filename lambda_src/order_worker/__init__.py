"""Takes order events from the queue: notes each once, and tells everybody who wants to know."""
