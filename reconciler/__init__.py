"""Email connectors as code: validate, plan, test live and apply mail accounts kept as YAML in git."""

__version__ = "0.1.0"
