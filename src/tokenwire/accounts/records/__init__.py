"""Small things that every process knows: API keys, tickets."""
