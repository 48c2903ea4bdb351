"""From texts and weights to representations: probes, token policies, sites and the forward pass."""
