"""Traffic of the node with its Lustre file systems, from the `stats` files of the clients."""
from colmet.common.schema import NODE, Table, counter

TABLE = Table("lustrestats_default", NODE, __doc__, (
    counter("lustre_nb_read", "count", "reads", "Q"),
    counter("lustre_bytes_read", "bytes", "read", "Q"),
    counter("lustre_nb_write", "count", "writes", "Q"),
    counter("lustre_bytes_write", "bytes", "written", "Q"),
), involved_jobs="wire", switch="lustre")
