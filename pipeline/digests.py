"""BLAKE2b, from the interpreter's own module.

Decides where it comes from: `hashlib` loads OpenSSL first, which takes 5 ms that a command of some fifty should not pay.
"""

try:
    from _blake2 import blake2b
except ImportError:  # an interpreter without it
    from hashlib import blake2b

__all__ = ["blake2b"]
