"""Applying a plan: permissions, stages, and writing the result.

The planner decides on the

steps; the CLI shows them.
"""
