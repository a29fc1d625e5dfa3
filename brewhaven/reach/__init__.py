"""Who reaches what: paths through subnets, routes, endpoints and security groups, followed hop by hop.

`paths` decides over a `topology`, wherever that comes from. `template_network` reads one from synthesized templates,
and `brewhaven.local.engines.live_network` from what is deployed on the local cloud. `report` asks for everything that
the functions, tasks and servers of a deployment need, and words what is missing.

docs/decisions/0015-paths-are-proven.md says what is followed and what is not.
"""
