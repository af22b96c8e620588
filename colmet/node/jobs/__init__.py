"""The jobs of this node: how they are found, whose they are, and how their end is seen and read."""
