/* What processes.bpf.c and the user of its maps share. */
#ifndef COLMET_HELD_H
#define COLMET_HELD_H

#define JOBS 4096               /* whose processes are added up at one time */

#define HERE 0x636f6c6d65747631ull      /* written for each CPU that there can be: others have no memory of their own */

/* Of processes: what they did, as /proc/PID/io has it, and what they hold now, in pages. */
enum held_quantity {
    HELD_RCHAR,
    HELD_WCHAR,
    HELD_SYSCR,
    HELD_SYSCW,
    HELD_READ_BYTES,
    HELD_WRITE_BYTES,
    HELD_CANCELLED_BYTES,
    HELD_RESIDENT,
    HELD_SHARED,
    HELD_VIRTUAL,
    HELD_QUANTITIES
};

/* Of one job. */
struct held {
    unsigned long long processes;
    unsigned long long torn;    /* of them, those of which something ended at each attempt to read them */
    unsigned long long sums[HELD_QUANTITIES];
};

#endif
