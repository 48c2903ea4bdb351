"""Behavioural stitching: what a receiver makes of a sender's states, mapped into its own."""
