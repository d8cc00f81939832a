"""From a model's name to the targets that may answer: retry, fallback and health, as pure decisions."""
