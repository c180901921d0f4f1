"""Optimal transport between bags: Word Mover's Distance, its bounds, its relatives, and exact search by it."""
