"""Senses of words without a model: the occurrences of a word, clustered by what stands around them."""
