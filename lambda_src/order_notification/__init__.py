"""Tells a customer how their order is doing."""
