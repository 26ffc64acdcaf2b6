"""Live tests of connectors, in stages, with every failure named.

What is tested and in which order, reports, drift and shards. How a session is opened, and what a server's
answer means, is in :mod:`reconciler.connection`.
"""
