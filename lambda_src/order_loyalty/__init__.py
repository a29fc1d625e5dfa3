"""Gives a signed-in customer a point for each euro that an order cost."""
