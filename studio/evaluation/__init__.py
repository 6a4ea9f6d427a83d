"""Benchmarks and the tables of the papers, as commands."""
