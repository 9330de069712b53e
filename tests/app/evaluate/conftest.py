from .calling import call  # noqa: F401
