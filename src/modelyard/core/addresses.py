"""Addresses with passwords: shown without them, and checked before a library reads them."""

import re
from urllib.parse import quote, unquote

from modelyard.core.errors import ModelyardError

HIDDEN = "..."
FILES = ("sqlite", "file")  # schemes of addresses without a server
_SHORTEST = 3  # characters of a part of a password that is hidden by itself
_SECRET_PARAMETER = re.compile(r"(?i)([?&](?:\w*password|passwd|pwd|passphrase|token|secret|\w*key)=)([^&#\s]*)")
_ANY_CREDENTIALS = re.compile(r"(\w[\w+.-]*://)[^\s/@:]*:[^\s/@]*@")  # also of addresses that we do not know


def masked(address: str) -> str:
    """Return an address without user name and password, for terminals, logs and MLflow."""
    scheme, separator, rest = address.partition("://")
    credentials = _credentials(address)
    shown = f"{HIDDEN}{rest.removeprefix(credentials)}" if credentials else rest
    return _SECRET_PARAMETER.sub(rf"\g<1>{HIDDEN}", f"{scheme}://{shown}") if separator else address


def mask_in(text: str, *addresses: str) -> str:
    """Return a text, such as the error of a library, without the passwords of addresses and of parts of them.

    A library that reads a password with special characters as something else, such as a host name, reports a part.
    """
    for address in addresses:
        text = text.replace(address, masked(address))
        credentials = _credentials(address)
        text = text.replace(f"{credentials}@", f"{HIDDEN}@") if credentials else text
        for secret in _secrets(address):
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return _SECRET_PARAMETER.sub(rf"\g<1>{HIDDEN}", _ANY_CREDENTIALS.sub(rf"\g<1>{HIDDEN}@", text))


def check_credentials(address: str, source: str) -> None:
    """Refuse an address whose password no library would read as it is meant.

    Args:
        address: the address of a server or a database.
        source: where it was set, such as a variable, for the message.

    Raises:
        ModelyardError: the password has special characters that are not percent-encoded.
    """
    is_http = address.startswith(("http://", "https://"))
    not_allowed = r"[@/?#]|%(?![0-9a-fA-F]{2})" if is_http else "@"
    found = sorted(set(re.findall(not_allowed, _credentials(address))))
    if found:
        encoded = ", ".join(f"{character} as {quote(character, safe='')}" for character in found)
        raise ModelyardError(
            f"the password in {source} ({masked(address)}) has special characters that are read as parts of the "
            f"address. Write {encoded}."
        )


def _credentials(address: str) -> str:
    """User name and password, which may have any character that belongs encoded; "" if each @ is one of a path."""
    scheme, _, rest = address.partition("://")
    found = rest.rpartition("@")[0]
    is_path = scheme.partition("+")[0] in FILES or re.fullmatch(r"[^:@]*[/?#][^:]*", found)
    return "" if is_path else found


def _secrets(address: str) -> list[str]:
    """The passwords of an address as they are written, decoded and encoded, and their parts; the longest first."""
    password = _credentials(address).partition(":")[2]
    written = [password, *(value for _, value in _SECRET_PARAMETER.findall(address))]
    whole = {form for each in written for form in (each, unquote(each), quote(unquote(each), safe=""))}
    parts = {part for form in whole for part in re.split(r"[^\w.-]", form) if len(part) >= _SHORTEST}
    return sorted((whole | parts) - {""}, key=len, reverse=True)
