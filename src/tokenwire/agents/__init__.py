"""Sources of the application's own: a function that is asked as a model would be, and answers in text or events."""
