"""What streaming costs in tokenwire, and in nginx as a byte relay, measured in one run."""
