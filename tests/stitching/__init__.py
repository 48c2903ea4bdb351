"""Tests of behavioural stitching."""
