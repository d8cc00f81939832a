"""What runs have used: counted while they are made, paid from budgets, written down."""
