"""TLS: certificates and what is made of them.

binding   what a certificate is bound to in SCRAM-SHA-256-PLUS
"""
