"""What the node does on shared file systems: Lustre, NFS, GPFS and BeeGFS, a row for each that is mounted.

Lustre tells by the `stats` of its client (llite), NFS by /proc/PID/mountstats (linux/nfs_iostat.h of the kernel),
GPFS by `fs_io_s` of mmpmon, BeeGFS by its servers alone. What a file system does not count is missing.
"""
from colmet.common.schema import NODE, Table, counter

TABLE = Table("filesystem", NODE, __doc__, (
    counter("since", "ns", "Unix time from which on is counted; missing where the file system does not tell and never "
            "began anew under the eyes of the node", fold="min"),
    counter("reads", "count", "read calls of programs (Lustre, GPFS)"),
    counter("bytes_read", "bytes", "that programs read, from the cache too; not by mmap (Lustre, NFS, GPFS)"),
    counter("writes", "count", "write calls of programs (Lustre, GPFS)"),
    counter("bytes_written", "bytes", "that programs wrote; not by mmap (Lustre, NFS, GPFS)"),
    counter("opens", "count", "files opened (Lustre, NFS 3, GPFS)"),
    counter("closes", "count", "files closed (Lustre, NFS, GPFS)"),
    counter("metadata", "count", "operations on names and attributes: open, close, create, remove, rename, getattr, "
            "readdir; of NFS and BeeGFS the requests for such, of GPFS open, close, readdir and changes of inodes"),
    counter("requests", "count", "requests that the servers answered (NFS, BeeGFS)"),
    counter("request_time", "ns", "that these took from program to program, waiting to be sent included (NFS)"),
    counter("retransmissions", "count", "requests sent again (NFS)"),
    counter("timeouts", "count", "times that a request timed out (NFS)"),
    counter("errors", "count", "requests answered with an error, such as that a name is not there (NFS, Linux 5.3)"),
    counter("server_bytes_read", "bytes", "read from the servers (NFS, BeeGFS)"),
    counter("server_bytes_written", "bytes", "written to the servers (NFS, BeeGFS)"),
), instance="mount")
