"""Applying a plan: who may, in which steps, and how it is written.

Which steps there are is the planner's word; what the screen shows of them is the CLI's.
"""
