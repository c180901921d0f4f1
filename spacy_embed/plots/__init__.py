"""Maps of words or documents: vectors in two dimensions, classes in colour, as a picture or a page."""
