"""Figures by matplotlib, which is imported with these modules."""
