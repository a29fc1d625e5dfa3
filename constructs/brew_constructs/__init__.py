"""The building blocks of Brew Haven: one capability a file, composed by the stacks."""
