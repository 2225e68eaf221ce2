"""The error of a model that cannot be converted."""


class NotConvertible(Exception):
    """Why a model cannot be converted; it is no mistake of the user, and the model itself is as good as any."""
