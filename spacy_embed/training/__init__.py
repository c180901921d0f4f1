"""Trainers: corpora of token lists in, vector tables out."""
