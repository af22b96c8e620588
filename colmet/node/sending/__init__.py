"""From a tick to the collector: batches are kept until it has them; both wires."""
