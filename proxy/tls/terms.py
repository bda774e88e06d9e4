"""What PostgreSQL and TLS call things, on both legs."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

ALPN = "postgresql"
"""The protocol's name in TLS (chapter 54.2.9); who begins with TLS at once has to ask for it."""

VERSIONS: Mapping[str, ssl.TLSVersion] = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
