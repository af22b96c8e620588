"""What each job got of each GPU, and all of them together: sums that go on from sample to sample."""
import time


class Share:
    """That of one job of one device; or of all that use it. `energy` (uJ), `time` (ns) and `ended` count from `since`
    (Unix time, ns) on, None where that is not known; `peak` (bytes) is the most memory that one of the processes
    had."""

    def __init__(self, now):
        self._times, self.peak = {}, None
        self._begin(now.spent.since)

    def _begin(self, energy_since):
        self.since, self._of = time.time_ns(), energy_since
        self._energy, self.energy, self.time, self.ended = 0.0, None, None, None

    def take(self, now, uses, accounts, share, first):
        """Add what came with `now` (`gpus.Now`): `uses` and `accounts` are those that count here, the latter None where
        there are none to be had; `share` is its part of the energy. What went before the `first` reading is left
        out."""
        if now.grown is not None and now.spent.since != self._of:
            self._begin(now.spent.since)            # the card's began anew
        if now.grown is not None:
            self._energy += now.grown * share
        self.energy = None if now.grown is None else int(self._energy)
        times = {use.key: use.time for use in uses if use.time is not None}
        times.update({(account.pid, account.start): account.time for account in accounts or ()
                      if account.time is not None})
        for key, total in times.items():
            self.time = (self.time or 0) + max(0, total - self._times.get(key, total if first else 0))
        self._times = {key: max(total, self._times.get(key, 0)) for key, total in times.items()}
        if accounts is not None:
            self.ended = (self.ended or 0) + sum(not account.running for account in accounts)
        known = [each.memory for each in [*uses, *(accounts or ())] if each.memory is not None]
        self.peak = max([self.peak or 0, *known]) if known or self.peak is not None else None


class Shares:
    """Those of all jobs and devices."""

    def __init__(self):
        self._shares = {}           # {(job or None, device's name): Share}

    def take(self, jobs, found):
        """Add a sample, {`Device`: `gpus.Now`}, in which `jobs` were there; {(job or None, device): `Share`}."""
        before, self._shares, given = self._shares, {}, {}
        for device, now in found.items():
            holders, first = now.holders, (None, device.name) not in before
            paying = [job for job in holders if (job, device.name) in before]
            for job in [None, *jobs]:
                key = job, device.name
                if job is not None and job not in holders and job not in now.held and key not in before:
                    continue
                share = self._shares[key] = before.get(key) or Share(now)
                part = 1 if job is None else (1 / len(paying) if job in paying else 0)
                share.take(now, of(job, now.uses), None if now.accounts is None else of(job, now.accounts), part,
                           first)
                given[job, device] = share
        present = set(jobs)
        for (job, name), share in before.items():       # of devices that do not answer now
            if (job is None or job in present) and (job, name) not in self._shares:
                self._shares[job, name] = share
        return given


def of(job, pairs):
    """Those of `pairs`, [(job or None, what)], that are the job's; all where it is None."""
    return [what for whose, what in pairs if job is None or whose is job]
