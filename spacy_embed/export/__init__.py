"""The way out: documents and embeddings of an index, for what serves them elsewhere."""
