"""The connection to the target server, as libpq would make it from the same conninfo.

target      which server, in which order; what is tried next where one fails; the face of this package
conninfo    reads the setting; what cannot be done is refused there
places      the hosts that a conninfo lists
opening     one connection to one address: socket, TLS, the answer to the StartupMessage
ahead       connections that are opened before a client asks
tls         whether and how a connection is encrypted, and what the server must prove
states      which server is a primary, which a standby (target_session_attrs)
own         whether a target would be the proxy itself

Who logs in on the connection is `login/`'s business; with which credential a job does, `auth.py`'s.
"""

from proxy.upstream.conninfo import parse_target
from proxy.upstream.opening import RefusedError
from proxy.upstream.target import Connected, Target

__all__ = ["Connected", "RefusedError", "Target", "parse_target"]
