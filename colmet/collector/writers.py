"""Writers: each reads the journal on its own and has its own committed position.

One in a process of its own (hdf5) is started through `colmet.collector.child`, which calls its module's

    run(settings, journal, connection)

`settings` are the collector's parsed options (`colmet.collector.settings`), `journal` the journal's directory,
`connection` a multiprocessing Connection on which both sides send tuples:

    collector → writer   ("seal",)           commit now all that the journal holds, answer ("position", N)
                         ("stop",)           the same, then return from run: the process ends with 0
    writer → collector   ("ready", N)        first: it can work, and has committed all entries below position N
                         ("refused", text)   in place of ready: it cannot work; the text is one line, what and why
                         ("position", N)     all entries below N are durable in their final place

The end of `connection` (EOFError) means that the collector died: the writer leaves at once. A writer finds new
entries by reading the journal again, at its own pace. Its messages go to stderr, one line each. A writer that dies
is started again, and goes on from what it committed.
"""
