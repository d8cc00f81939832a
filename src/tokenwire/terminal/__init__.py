"""A chat on a terminal, or in a pipe: what ``tokenwire chat`` does."""
