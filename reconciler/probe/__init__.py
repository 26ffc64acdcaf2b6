"""Live tests of connectors, in stages, with every failure explained: schedule, reports, drift and shards.

Opening sessions and interpreting a server's answers belong to :mod:`reconciler.connection`.
"""
