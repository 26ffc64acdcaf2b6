"""The stored state: what was applied, when and by whom, and the lock that guards it.

The meaning of the state lives here and its SQL; who may change it and why is decided above.
"""
