"""The tool that students and instructors run."""
