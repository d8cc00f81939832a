"""What has been used, and what may still be: rates, slots, budgets, and the ledger of runs."""
