"""Applying a plan: who may, in which steps, and how it is written.

The planner decides on the

steps; the CLI shows them.
"""
