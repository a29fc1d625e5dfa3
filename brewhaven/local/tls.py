"""A certificate authority per machine, and the certificate of the local cloud.

Real AWS speaks TLS everywhere, and the CDK's bootstrap bucket refuses anything else. The authority is made on first use
and lives in the ignored state folder; its key never leaves the machine and it may only vouch for loopback names.
"""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)
_LIFETIME = 825 * _DAY  # the longest that Apple's TLS stack accepts
_RENEW_BEFORE = 30 * _DAY
# RDS proxies have addresses of their own, at most 20 in an account as on AWS.
PROXY_ADDRESSES = tuple(f"127.0.1.{last}" for last in range(1, 21))

_ADDRESSES = ("127.0.0.1", *PROXY_ADDRESSES)


def ensure_certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Return paths of (CA certificate, server certificate, server key), making or renewing them where needed.

    Args:
        folder: Where the PEM files are kept; created with access for the owner alone.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_cert, cert, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    if not all(_is_current(path) for path in (ca_cert, cert)) or not key.exists():
        _write_pair(ca_cert, cert, key)
    return ca_cert, cert, key


def _is_current(path: Path) -> bool:
    if not path.exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    if certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC) <= _RENEW_BEFORE:
        return False
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return True  # The authority's.
    return {str(ip) for ip in names.get_values_for_type(x509.IPAddress)} == set(_ADDRESSES)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write_pair(ca_path: Path, cert_path: Path, key_path: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    loopback = [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = (
        x509.CertificateBuilder()
        .subject_name(_name("Brew Haven local cloud CA"))
        .issuer_name(_name("Brew Haven local cloud CA"))
        .public_key(ca_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.NameConstraints(
                [x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")), x509.DNSName("localhost")], None
            ),
            critical=True,
        )
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name("Brew Haven local cloud"))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([*loopback, x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    ca_path.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.touch(mode=0o600)
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
