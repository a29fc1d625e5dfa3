"""Brings the orders database to its newest schema when it is deployed."""
