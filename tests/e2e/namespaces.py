"""Mount namespaces (mount_namespaces(7)) of tests' own."""
PERF = "colmet-test-perf"       # source of a mount that keeps a hierarchy of cgroups, as each copy of it does
SHED = "findmnt -rno TARGET -S %s | xargs -r umount" % PERF


def with_mounts(script, *options):
    """The start of a command in a mount namespace that the shell's `script` has arranged; `options` of unshare(1) make
    more namespaces. Needs root."""
    return ("unshare", "--mount", *options, "sh", "-ec", "%s\n%s\nexec \"$@\"" % (SHED, script), "sh")
