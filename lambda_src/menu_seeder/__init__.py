"""Puts the menu into the catalog table when it is deployed."""
