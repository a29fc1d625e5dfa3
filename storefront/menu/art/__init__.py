"""The menu's illustrations: one light, one table, one palette; a function for each product."""
