"""``make bench``: how fast it is, as ratios to something bare that is measured in the same run on the same machine.

A ratio says the same on a fast and on a slow machine, so that it can be compared over months. Everything runs in a
local cloud of its own that is gone afterwards; the student's is not touched.
"""
