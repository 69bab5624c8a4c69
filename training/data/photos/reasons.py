"""Why files are left out."""

NOT_AN_IMAGE = 'not an image'
OTHER_FORMAT = 'an image in a format that is not read'
DAMAGED = 'damaged'
UNREADABLE = 'cannot be read'
TOO_SMALL = 'too small'
TOO_LARGE = 'too large'
OTHER_SHAPE = 'too wide or too high'
UNKNOWN_RANGE = 'pixels of an unknown range'
NO_LABEL = 'without a label'
DUPLICATE = 'same pixels as an earlier image'


class Unusable(Exception):
    """A file cannot be used. Attributes: `kind`, one of the above, and `detail`."""

    def __init__(self, kind, detail=''):
        super().__init__(kind, detail)
        self.kind, self.detail = kind, ' '.join(str(detail).split())
