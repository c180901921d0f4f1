"""Corpora, the index that is made of them, and the methods that search it. Arrays and Arrow; no spaCy."""
