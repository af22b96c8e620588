"""A tree of PMUs as /sys/bus/event_source has them on servers: of the cores, of memory controllers, of an ARM."""

PMUS = {
    "cpu": {
        "type": "4", "format/event": "config:0-7", "format/umask": "config:8-15", "format/cmask": "config:24-31",
        "format/edge": "config:18", "format/ldlat": "config1:0-15", "format/offcore_rsp": "config1:0-63",
        "format/frontend": "config1:0-23", "format/wide": "config:0-7,32-35",
        "events/instructions": "event=0xc0", "events/mem-loads": "event=0xcd,umask=0x1,ldlat=3",
        "events/topdown-slots-issued": "event=0x0e,umask=0x1", "events/topdown-slots-issued.scale": "4",
        "events/asked": "event=0x01,umask=?", "format/later": "config7:0-3",
    },
    "uncore_imc_0": {"type": "24", "cpumask": "0,28", "format/event": "config:0-7", "format/umask": "config:8-15",
                     "events/cas_count_read": "event=0x04,umask=0x03", "events/cas_count_read.unit": "MiB",
                     "events/cas_count_read.scale": "6.103515625e-5"},
    "armv8_pmuv3_0": {"type": "8", "cpus": "4-7", "format/event": "config:0-15",
                      "events/cpu_cycles": "event=0x0011"},
}


def make(root, online="0-7"):
    """The tree below `root`, of a machine whose CPUs `online` are."""
    for pmu, files in PMUS.items():
        for name, text in files.items():
            path = root / "sys" / "bus" / "event_source" / "devices" / pmu / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
    cpus = root / "sys" / "devices" / "system" / "cpu"
    cpus.mkdir(parents=True)
    (cpus / "online").write_text(online + "\n")
    return root
