"""Text for people, at a terminal or in a log.

The words and symbols are Terraform's: ``+``, ``~``, ``-``.
"""
