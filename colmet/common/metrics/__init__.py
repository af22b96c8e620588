"""Everything that Colmet measures. `TABLES` is the table of contents; its order is that of the wire."""
from colmet.common.metrics import (taskstats, procstats, infiniband, lustre, perfhw, rapl06, temperature06,
                                   jobproc, ipmipower, nvidia, cpu, perf, rapl, temperature, power, network,
                                   filesystem, gpu, energy, account, cgroup, job, colmet)

STEMS = (taskstats, procstats, infiniband, lustre, perfhw, rapl06, temperature06, jobproc, ipmipower, nvidia,
         cpu, perf, rapl, temperature, power, network, filesystem, gpu, energy, account, cgroup, job, colmet)
TABLES = {stem.TABLE.name: stem.TABLE for stem in STEMS}
