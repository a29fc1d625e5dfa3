"""The HTTP contract: one module a part of the shop.  Routes parse, call the domain once, and write the answer."""
