"""The rules of the shop: menu, cart, orders, people.  Plain Python: no AWS, no web framework."""
