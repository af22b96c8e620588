"""The network ports of the node: which there are, what their drivers count, and totals that go on."""
