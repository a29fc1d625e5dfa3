"""What a template means: each module reads one side and states facts about it in sentences."""
