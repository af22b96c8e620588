"""The options of the meters of power."""
import re

from colmet.common.options import Option

HOSTNAME = "{hostname}"
_URL = re.compile(r"https://(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d{1,5})?/?", re.ASCII)


def url_fault(text):
    """A check: "" or why `text` is no place of a Redfish service."""
    if "@" in text:
        return "must hold no user and password; put them in a file and give --redfish-credentials FILE"
    return "" if _URL.fullmatch(text.replace(HOSTNAME, "node")) else "must be https://HOST or https://HOST:PORT"


def options(group):
    """They, for the `group` of the help."""
    return (
        Option(("--ipmipower-cmd",), "program, with its words, that tells the power of the node, in place of the BMC's "
               "own answer: the number between \": \" and \" \" in what it prints", None, many="words", metavar="WORD",
               group=group),
        Option(("--redfish",), "BMC to ask for power over the network, for --enable-power; %s stands for the name of "
               "this node" % HOSTNAME, metavar="https://HOST[:PORT]", group=group, check=url_fault),
        Option(("--redfish-credentials",), "file with USER:PASSWORD for it", metavar="FILE", group=group),
        Option(("--redfish-ca",), "file of certificates (PEM) that its certificate is checked with, in place of the "
               "machine's own", metavar="FILE", group=group),
    )
