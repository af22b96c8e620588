"""OAR: where its jobs have their cgroups.

Version 1 of cgroups, and OAR 2 (its job_resource_manager): flat directories in each controller, all processes of
the job in them. OAR 3 with systemd (its job_resource_manager_systemd): slices in version 2. A user's name may hold
digits, dots, dashes and underscores, so that the id is what is right of the last underscore.
"""
NAME = "oar"
_JOB = r"(?P<user>.+)_(?P<job>[0-9]+)"
RULES = (
    r"oar/" + _JOB,
    r"oardocker/.+/oar/" + _JOB,
    r"oar\.slice/oar-u(?P<uid>[0-9]+)\.slice/oar-u[0-9]+-j(?P<job>[0-9]+)\.slice",
)
