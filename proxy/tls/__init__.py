"""TLS towards clients: what they are offered, and certificates.

offer         no TLS, TLS if they ask for it, or nothing else
self_signed   the certificate that the proxy makes for itself
binding       what a certificate is bound to in SCRAM-SHA-256-PLUS
"""
