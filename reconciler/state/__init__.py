"""The stored state: what was applied, when and by whom, and the lock that guards it.

It contains the meaning of the state and its SQL; who may change it and why is decided above.
"""
