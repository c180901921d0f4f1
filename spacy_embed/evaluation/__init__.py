"""Measures of the field, against judgements."""
