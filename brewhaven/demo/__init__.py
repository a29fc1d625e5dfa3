"""``brewhaven demo``: what is deployed, shown at work, hop by hop, with the time that each hop took.

A demo is a customer and an onlooker. It uses the shop's pages as a browser does, and looks at what AWS's services note
by themselves: their logs, their messages, their items. It has no way of its own into the system, so it shows the same
on the local cloud and on AWS.
"""
