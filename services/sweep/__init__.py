"""Sweeps: one replay many times over, with other parameters, on one machine or many."""
