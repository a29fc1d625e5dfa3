"""What one state of the shop has that another has not, in words: the instructor's `brewhaven diff A B`.

sources/   reads a side: a lesson, a phase, a git revision, a deployed stack or a cloud assembly
match.py   recognises what was only renamed
changes.py compares resources and tells what CloudFormation would replace
facts/     what a template means: access, network, data paths, settings, cost
compare.py puts these together into one `Comparison`
render/    prints a comparison: terminal, Markdown, HTML, JSON, projector
"""
