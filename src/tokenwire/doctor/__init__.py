"""What is wrong with a configuration, or with a deployment, and what to do about it."""
