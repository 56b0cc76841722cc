"""Who vouches for a result card: an Ed25519 signature, which anybody can check and only the key's holder can make.

    signature = Ed25519(private key, PURPOSE + SHA-256 of the card)      (RFC 8032)
The card carries the signature and the public key, so checking needs no secret. What that proves: whoever holds the
private key signed exactly this card. Whose key that is the card cannot say, and anybody can sign an altered card anew
with a key of his own: compare the public key with the one that its owner publishes (`--signer`).

Private keys are files, PKCS #8 in PEM without a password, as `openssl genpkey -algorithm ed25519` writes them too;
public ones are the 64 hexadecimal digits that a card carries.
"""

from pathlib import Path

from cavendish.artefact import disk_errors
from cavendish.errors import BadInputError, CorruptDataError, needs_extra

PURPOSE = b"cavendish result card\n"


def new_key(path: Path) -> str:
    """Write a fresh private key, readable by its owner alone, and return the public one."""
    _need_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if path.exists():
        raise BadInputError(f"{path}: exists already; a key is never written over")
    key = Ed25519PrivateKey.generate()
    with disk_errors(path):
        path.touch(0o600, exist_ok=False)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key.public_key().public_bytes_raw().hex()


def sign(digest: str, path: Path) -> dict[str, str]:
    """Sign a card's digest with the private key in a file."""
    _need_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read as a key ({error.strerror})") from error
    except (ValueError, TypeError) as error:
        raise BadInputError(f"{path}: not an Ed25519 key in PEM without a password ({error})") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInputError(f"{path}: a {type(key).__name__}, expected an Ed25519 key")
    return {"signer": key.public_key().public_bytes_raw().hex(), "ed25519": key.sign(PURPOSE + digest.encode()).hex()}


def check(name: str, digest: str, signature: dict[str, str]) -> None:
    """Refuse a signature that its own public key did not make for this digest."""
    _need_library()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature["signer"]))
        public.verify(bytes.fromhex(signature["ed25519"]), PURPOSE + digest.encode())
    except (InvalidSignature, KeyError, TypeError, ValueError) as error:
        raise CorruptDataError(f"{name}: its signature was not made for this card by the key that it names") from error


def _need_library() -> None:
    with needs_extra("signing a card, or checking its signature,", "sign"):
        import cryptography  # noqa: F401
