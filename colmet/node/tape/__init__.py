"""Record and replay: what the kernel and other machines told a node is kept, and given to the same code again.

All that reads the world, Python's own functions and those of the C helpers, is one seam (`colmet.node.tape.calls`). A
node that neither records nor replays never loads this package, and nothing of it stands in its way. With `--record`
the functions are replaced at the start by ones that keep each answer (`colmet.node.tape.recorder`), with `--replay` by
ones that give the answers kept (`colmet.node.tape.player`). A source needs no code for it, whatever it reads, as long
as it does so by these functions, called by their modules (``os.open``, not ``from os import open``).

What other threads of a source do is part of it: the answers of all lie in one order, in which they are given again.
The sender and the page for Prometheus are no part: what the node counts of them is an answer like others.
"""
