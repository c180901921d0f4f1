"""The spaCy side: lookup forms, components, and text in, arrays out."""
