"""Live tests of connectors, in stages, with every failure named.

What is tested, in which order, and what a server's answer means; the protocols themselves are in
:mod:`reconciler.mail`.
"""
