"""Reports, exports, pictures and live pages of results."""
