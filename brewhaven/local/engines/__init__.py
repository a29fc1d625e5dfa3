"""Real processes behind recorded resources: containers and instances, later databases and caches."""
