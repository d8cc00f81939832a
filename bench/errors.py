"""What can go wrong with one measurement without ending the run."""


class MeasurementError(Exception):
    """A contender or the load did not do what the measurement needs; the text says what."""
