"""The coffee shop: one FastAPI application on one DynamoDB table, the monolith the course begins with.

`domain` holds the rules and knows no framework; `adapters` keep what the rules decide in AWS; `routes` speak HTTP.
A route calls the domain, the domain calls a port, an adapter is behind the port: nothing points the other way.
"""
