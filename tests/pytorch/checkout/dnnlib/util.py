"""Stand-in for what network files need of this module."""


class EasyDict(dict):
    """A dictionary whose items are attributes."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error

    def __setattr__(self, name, value):
        self[name] = value
