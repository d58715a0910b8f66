"""The error of publishing, apart from what draws figures, which takes long to import."""


class PublishingError(ValueError):
    """A report cannot be published; the message says why, and what to do."""
