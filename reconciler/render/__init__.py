"""Renderings: values in, text out, one file for each thing and form.

Nothing here prints, asks or decides; colour and width are parameters.
"""
