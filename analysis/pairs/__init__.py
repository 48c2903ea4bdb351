"""Many pairs of representations at once: values, intervals and chance levels on every cell."""
