"""Rendering: values in, text out, one module for each command.

Nothing here prints, asks or decides; colour and width are parameters.
"""
