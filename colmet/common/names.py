"""Names that a job gets in the stores: safe in a path, an HDF5 group and an index, whatever came over the wire."""
import hashlib
import re

_UNSAFE = re.compile(r"[^A-Za-z0-9_.@\[\]-]")
_LEADING_DIGITS = re.compile(r"\d{1,18}")
MAX_BYTES = 200


def safe(text):
    """`text` of letters, digits and ``_.@[]-`` only, at most 200 bytes. What had to be changed gets a hash
    of the original, so that two texts never meet; one made only of dots counts as unsafe."""
    clean = _UNSAFE.sub("_", text)
    if clean == text and len(clean) <= MAX_BYTES and clean.strip("."):
        return clean
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return "%s-%s" % (clean.strip(".")[:MAX_BYTES - 11], digest)


def job_group(job, cluster=""):
    """``job_<id>[@<cluster>][@<user>]``, the job's group in HDF5; `job` is an entry of `Batch.jobs`."""
    parts = [job["job"], job.get("cluster") or cluster, job.get("user", "") if job.get("twin") else ""]
    return safe("job_" + "@".join(part for part in parts if part))


def job_number(text):
    """The leading digits of a job id as an int64, -1 where there are none: 0.6's `job_id`."""
    digits = _LEADING_DIGITS.match(text)
    return int(digits.group()) if digits else -1
