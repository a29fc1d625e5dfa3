"""The way from a function to the shop's PostgreSQL database: one verified connection an environment."""
