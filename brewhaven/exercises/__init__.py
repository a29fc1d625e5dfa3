"""Exercises: small CDK tasks that students solve in files of their own, judged in words on the synthesized template."""
