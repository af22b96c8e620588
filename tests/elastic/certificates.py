"""Private certificate authorities for tests of TLS, by trustme."""
import datetime
import ssl

import trustme


class Authority:
    """An authority; `file` is its certificate (PEM), to be trusted."""

    def __init__(self, folder, name="authority"):
        folder.mkdir(parents=True, exist_ok=True)
        self._ca = trustme.CA()
        self.file = folder / (name + ".pem")
        self._ca.cert_pem.write_to_path(str(self.file))

    def issue(self, *names, expired=False):
        """A `Certificate` for host names and addresses."""
        end = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1) if expired else None
        return Certificate(self._ca.issue_cert(*names, not_after=end))


class Certificate:
    """A certificate of a server with its key."""

    def __init__(self, issued):
        self._issued = issued

    def write(self, certificate, key):
        """Both as files in PEM."""
        certificate.write_bytes(b"".join(blob.bytes() for blob in self._issued.cert_chain_pems))
        self._issued.private_key_pem.write_to_path(str(key))

    def context(self):
        """For a server made with ssl."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._issued.configure_cert(context)
        return context
